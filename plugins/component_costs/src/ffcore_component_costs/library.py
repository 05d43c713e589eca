"""The cost model ``hwcomponents``: asks the library of that name, which needs Python 3.12 or newer."""

from __future__ import annotations

import importlib
import importlib.metadata
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from ffcore.plugin import ComponentCost, ComponentQuery, PluginError, SpecError, suggest

_WORD = re.compile(r"[\w.+-]{0,80}")
_NO_ATTRIBUTES = ("n_parallel_instances",)  # ffcore multiplies by it
_LONGEST = 200


class LibraryCosts:
    """Prices components by the models that are installed for the library ``hwcomponents``.

    A component's class is the name of its model there; its attributes are those of the spec (``size``, both kinds of
    ``extra_attributes…``), as are its actions' arguments, with ``bits_per_action`` 1 where the spec gives none. Raises
    ``PluginError`` where the library is not installed.
    """

    def __init__(self) -> None:
        try:
            self._library: Any = importlib.import_module("hwcomponents")
        except ImportError as error:
            remedy = "pip install 'ffcore-component-costs[hwcomponents]' (Python 3.12 or newer)"
            raise PluginError(
                f"the cost model 'hwcomponents' needs the library of that name: {remedy}; {error}"
            ) from None
        self.source = f"hwcomponents {_version()}"

    def cost(self, component: ComponentQuery) -> ComponentCost:
        """What the library says of a component.

        Raises SpecError, which names the component, for one that it has no model of, or whose model does not run (the
        program of CACTI is not there). Area and leakage that it cannot tell are left out.
        """
        attributes = {
            name: _plain(component, name, value)
            for name, value in component.attributes.items()
            if not name.startswith("actions.") and name not in (*_NO_ATTRIBUTES, "bits_per_action")
        }
        ask = (component.component_class, attributes)
        energy: dict[str, float] = {}
        throughput: dict[str, float] = {}
        for action in component.actions:
            found = self._asked(
                component, action, self._library.get_action_cost, *ask, action, _arguments(component, action)
            )
            energy[action] = _number(component, f"energy of {action}", found.energy)
            throughput[action] = _number(component, f"throughput of {action}", found.throughput)
        area, no_area = self._or_reason(component, "area", self._library.get_area, *ask)
        leak, no_leak = self._or_reason(component, "leak_power", self._library.get_leak_power, *ask)
        reasons = "; ".join(dict.fromkeys(reason for reason in (no_area, no_leak) if reason))
        return ComponentCost(
            energy, throughput, area, leak, f"{self.source}{f', which says: {reasons}' if reasons else ''}"
        )

    def _asked(self, component: ComponentQuery, what: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """What the library returns. Models are code of others: whatever one raises is an error of that component."""
        try:
            return function(*arguments)
        except Exception as error:
            reason, guess = _reason(component, str(error))
            kind = f"{component.name} (component_class {component.component_class})"
            raise SpecError.one(f"{kind}: {self.source} cannot tell its {what}: {reason}", None, guess) from None

    def _or_reason(
        self, component: ComponentQuery, what: str, function: Callable[..., Any], *arguments: Any
    ) -> tuple[float | None, str]:
        try:
            found = self._asked(component, what, function, *arguments)
        except SpecError as error:
            return None, error.problems[0].message
        return _number(component, what, found), ""


def _version() -> str:
    try:
        return importlib.metadata.version("hwcomponents")
    except importlib.metadata.PackageNotFoundError:
        return "of an unknown version"


def _arguments(component: ComponentQuery, action: str) -> dict[str, Any]:
    given: Mapping[str, Any] = component.attributes.get(f"actions.{action}", {})
    arguments = {name: _plain(component, name, value) for name, value in given.items()}
    if action != "compute" or "bits_per_action" in component.attributes:
        arguments.setdefault("bits_per_action", component.attributes.get("bits_per_action", 1))
    return arguments


def _plain(component: ComponentQuery, name: str, value: object) -> object:
    """Numbers and single words: models put them into commands and files of their own."""
    if value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and _WORD.fullmatch(value)):
        return value
    message = f"{component.name}: the attribute {name!r} must be a number or a single word, got {value!r}"
    raise SpecError.one(message)


def _number(component: ComponentQuery, what: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if math.isnan(number):
        raise SpecError.one(f"{component.name}: hwcomponents gives {value!r} as its {what}")
    return number


def _reason(component: ComponentQuery, text: str) -> tuple[str, str | None]:
    """The sentence of a long log that says what is wrong, and a class that was probably meant."""
    known = re.search(r"Supported components: ([\w, ]*)", text)
    if known:
        return "it has no model of that class", suggest(component.component_class.lower(), known[1].split(", "))
    for pattern in (r"Exception: ([^\n]*?)(?:\. |\n|$)", r"(Argument for [^\n]*? is missing: \w+)"):
        if found := re.search(pattern, text):
            return found[1][:_LONGEST], None
    return (text.strip().splitlines() or ["it does not say why"])[0][:_LONGEST], None
