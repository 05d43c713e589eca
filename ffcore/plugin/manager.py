"""Finds plugins, collects what they register, and looks parts up by name."""

from __future__ import annotations

import importlib.metadata
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import pluggy

from ffcore import errors
from ffcore.plugin import builtin, hooks
from ffcore.plugin.installed import EntryPoint, named, scan
from ffcore.plugin.known import DISTRIBUTION_OF
from ffcore.plugin.records import (
    RECORD_TYPES,
    ArchRecord,
    CommandRecord,
    Factory,
    ModelRecord,
    Record,
    SpecLoaderRecord,
    loaded,
)

if TYPE_CHECKING:
    from ffcore.spec.problem import PricingLaw

DISABLE_VARIABLE = "FFCORE_DISABLE_PLUGINS"
"""Environment variable: ``all``, or names of distributions or entry points, separated by commas."""

CORE = "ffcore"

T = TypeVar("T")


@attrs.frozen
class Plugin:
    """One entry point of the group ``ffcore`` (or core itself) and how loading it went."""

    name: str  # of the entry point
    distribution: str
    version: str
    reference: str  # what the entry point names
    records: tuple[Record, ...] = ()
    error: str = ""  # why it is broken; empty if it is not
    disabled: bool = False

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _quoted(kind: str) -> str:
    return kind.replace("_", " ")


class PluginManager:
    """The plugins of one configuration. Loads them when the first part is looked up.

    ``entry_points``: those to look at (by default all of the group ``ffcore``, scanned once per process).
    ``disabled``: names of distributions or entry points to leave alone, or ``all``; core's parts always stay.
    A plugin that does not load, or registers something wrong, is kept as broken and hurts only who asks for it.
    """

    def __init__(self, entry_points: Iterable[EntryPoint] | None = None, disabled: Iterable[str] = ()) -> None:
        self._entry_points = entry_points
        self._disabled = frozenset(_normalised(name) for name in disabled)

    @cached_property
    def plugins(self) -> tuple[Plugin, ...]:
        """Core first, then every installed plugin, ordered by distribution and entry point."""
        points = scan() if self._entry_points is None else self._entry_points
        manager = pluggy.PluginManager(hooks.NAME)
        manager.add_hookspecs(hooks)
        core = Plugin("builtin", CORE, _version(CORE), builtin.__name__)
        result = [_register(manager, core, lambda: builtin)]
        for point in sorted(points, key=lambda p: (_normalised(named(p.dist)[0]), p.name)):
            plugin = Plugin(point.name, *named(point.dist), point.value)
            if self._disabled & {"all", _normalised(plugin.distribution), _normalised(plugin.name)}:
                result.append(attrs.evolve(plugin, disabled=True))
            else:
                result.append(_register(manager, plugin, point.load))
        return tuple(result)

    def providers(self, kind: str) -> list[tuple[Record, Plugin]]:
        """Every part of a kind with the plugin that registered it, sorted by (priority, name)."""
        if kind not in RECORD_TYPES:
            raise errors.PluginError(f"there are no parts of kind {kind!r}; kinds: {', '.join(RECORD_TYPES)}")
        found = [(record, plugin) for plugin in self.plugins for record in plugin.records if record.kind == kind]
        return sorted(found, key=lambda item: (item[0].priority, item[0].name))

    def records(self, kind: str) -> tuple[Record, ...]:
        """The records of a kind, sorted by (priority, name). Raises ``PluginError`` for an unknown kind."""
        return tuple(record for record, _ in self.providers(kind))

    def names(self, kind: str) -> tuple[str, ...]:
        """The names of a kind's parts, each once, sorted by (priority, name)."""
        return tuple(dict.fromkeys(record.name for record in self.records(kind)))

    def record(self, kind: str, name: str) -> Record:
        """The record of one part.

        Raises ``PluginError`` when nobody registered the name (with what is installed) or more than one did.
        """
        return self._provided(kind, name)[0]

    def _provided(self, kind: str, name: str) -> tuple[Record, Plugin]:
        """The record of one part, and who registered it. Raises as `record` does."""
        found = [(record, plugin) for record, plugin in self.providers(kind) if record.name == name]
        if not found:
            raise errors.PluginError(self._not_installed(kind, name))
        if len(found) > 1:
            raise errors.PluginError(_conflict(kind, name, [plugin for _, plugin in found]))
        return found[0]

    def get(self, kind: str, name: str, **arguments: Any) -> Any:
        """Make the part ``name`` of a kind; ``arguments`` go to its factory.

        Raises ``PluginError`` for an unknown or ambiguous name, a factory that cannot be imported, a part without
        a method of its kind, and parameters that an architecture does not have. What the factory itself raises as
        ``FFError`` passes through.
        """
        record, provider = self._provided(kind, name)
        if isinstance(record, CommandRecord):
            return _working(record, provider, lambda: loaded(record.factory))
        if isinstance(record, ArchRecord):
            _check_parameters(record, arguments)
        part = _made(record, record.factory, provider, arguments)
        lacking = [m for m in record.methods if not callable(getattr(part, m, None))]
        if lacking:
            names = " and ".join(lacking)
            raise errors.PluginError(f"{_quoted(kind)} {name!r} of {provider} does not work: it has no method {names}")
        return part

    def law(self, name: str) -> PricingLaw | None:
        """The law of the model ``name``, which the search is to obey; None if it has none. Raises as `get` does."""
        record, provider = self._provided("model", name)
        if not isinstance(record, ModelRecord) or record.law is None:
            return None
        law: PricingLaw = _made(record, record.law, provider, {})
        return law

    def function(self, name: str) -> Callable[..., Any] | None:
        """The Python function of the command ``name``, or None if it has none. Raises as `get` does."""
        record, provider = self._provided("command", name)
        reference = record.function if isinstance(record, CommandRecord) else None
        if reference is None:
            return None
        return _working(record, provider, lambda: loaded(reference))

    def converter(self, name: str) -> Callable[..., Any]:
        """The command that ``ff convert --from NAME`` is. Raises as `get` does, and where the loader brings none."""
        record, provider = self._provided("spec_loader", name)
        reference = record.converter if isinstance(record, SpecLoaderRecord) else None
        if reference is None:
            raise errors.PluginError(f"the spec loader {name!r} of {provider} brings no converter")
        return _working(record, provider, lambda: loaded(reference))

    def functions(self) -> tuple[str, ...]:
        """Names of the commands that have a Python function."""
        return tuple(r.name for r in self.records("command") if isinstance(r, CommandRecord) and r.function is not None)

    def missing(self, kind: str) -> dict[str, str]:
        """Parts of a kind that are known and not there -> the distribution that brings them."""
        there = self.names(kind)
        return {name: dist for (k, name), dist in DISTRIBUTION_OF.items() if k == kind and name not in there}

    def problems(self) -> tuple[str, ...]:
        """One sentence for each broken plugin and each name that several plugins claim."""
        broken = [f"{plugin} ({plugin.name}) is broken: {plugin.error}" for plugin in self.plugins if plugin.error]
        claims: dict[tuple[str, str], list[Plugin]] = {}
        for kind in RECORD_TYPES:
            for record, plugin in self.providers(kind):
                claims.setdefault((kind, record.name), []).append(plugin)
        return (*broken, *(_conflict(*key, plugins) for key, plugins in claims.items() if len(plugins) > 1))

    def _not_installed(self, kind: str, name: str) -> str:
        installed = self.names(kind)
        parts = [f"{_quoted(kind)} {name!r} is not installed", f"installed: {', '.join(installed) or 'none'}"]
        distribution = DISTRIBUTION_OF.get((kind, name))
        suggestion = errors.suggest(name, installed)
        there = {_normalised(p.distribution): p for p in self.plugins}
        if distribution in there and there[distribution].disabled:
            parts.append(f"{distribution} is disabled ({DISABLE_VARIABLE} or --no-plugins)")
        elif distribution and distribution not in there:
            parts.append(f"pip install {distribution}")
        elif suggestion:
            parts.append(f"did you mean {suggestion!r}?")
        parts.extend(f"{plugin} is broken ({plugin.error})" for plugin in self.plugins if plugin.error)
        return "; ".join(parts)


def _register(manager: pluggy.PluginManager, plugin: Plugin, load: Callable[[], Any]) -> Plugin:
    """Load one plugin and call its hooks; whatever goes wrong stays with this plugin."""
    module: Any = None
    try:
        module = load()
        manager.register(module, name=f"{plugin.distribution}:{plugin.name}")
        manager.check_pending()
        return attrs.evolve(plugin, records=tuple(_records(manager, module)))
    except Exception as error:
        if module is not None and manager.is_registered(module):
            manager.unregister(module)
        reason = " ".join(str(error).split())
        return attrs.evolve(plugin, error=f"{type(error).__name__}: {reason}")


def _made(record: Record, factory: Factory, provider: Plugin, arguments: Mapping[str, Any]) -> Any:
    return _working(record, provider, lambda: loaded(factory)(**arguments))


def _working(record: Record, provider: Plugin, make: Callable[[], T]) -> T:
    try:
        return make()
    except errors.FFError:
        raise
    except Exception as error:
        raise errors.PluginError(
            f"{_quoted(record.kind)} {record.name!r} of {provider} does not work: {type(error).__name__}: {error}"
        ) from error


def _records(manager: pluggy.PluginManager, module: Any) -> Iterator[Record]:
    for kind, hook in hooks.HOOK_OF_KIND.items():
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            if implementation.plugin is not module:
                continue
            for record in implementation.function() or ():
                if not isinstance(record, RECORD_TYPES[kind]):
                    raise TypeError(f"{hook} must yield {RECORD_TYPES[kind].__name__}, not {record!r}")
                yield record


def _conflict(kind: str, name: str, plugins: list[Plugin]) -> str:
    providers = " and ".join(sorted(str(plugin) for plugin in plugins))
    return f"{_quoted(kind)} {name!r} is registered by {providers}; disable one ({DISABLE_VARIABLE}) or uninstall it"


def _check_parameters(record: ArchRecord, arguments: Iterable[str]) -> None:
    known = [parameter.name for parameter in record.parameters]
    for name in arguments:
        if name not in known:
            suggestion = errors.suggest(name, known)
            hint = f"; did you mean {suggestion!r}?" if suggestion else ""
            listed = ", ".join(known) or "none"
            raise errors.PluginError(f"arch {record.name!r} has no parameter {name!r}; parameters: {listed}{hint}")


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:  # run from a source tree that was never installed
        return "0+source"


@cache
def _manager_without(disabled: frozenset[str]) -> PluginManager:
    return PluginManager(disabled=disabled)


def current_manager() -> PluginManager:
    """The manager of this process, for the present value of ``FFCORE_DISABLE_PLUGINS``.

    The setting lives in the environment, so that worker processes see what their parent sees.
    """
    names = os.environ.get(DISABLE_VARIABLE, "").split(",")
    return _manager_without(frozenset(name.strip() for name in names if name.strip()))
