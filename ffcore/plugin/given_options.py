"""Options of a part: the parameters of its factory."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from ffcore.errors import Position, SpecError, suggest

_ARGUMENTS = {"executor": ("n_jobs",)}
"""Parameters of a kind's factories that are no options: core gives them."""


def check_options(kind: str, name: str, options: Mapping[str, Any], place_of: Callable[[str], Position | None]) -> None:
    """Raise SpecError for the first option that the part ``name`` does not have; ``place_of``: where one is set.

    Raises PluginError where the part is not installed.
    """
    if not options:
        return
    from ffcore.plugin import current_manager

    parameters = inspect.signature(current_manager().record(kind, name).load()).parameters.values()
    known = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    known = [name for name in known if name not in _ARGUMENTS.get(kind, ())]
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    for option in options:
        if option not in known:
            listed = f"it has {', '.join(known)}" if known else "it has none"
            message = f"the {kind.replace('_', ' ')} {name!r} has no option {option!r}; {listed}"
            raise SpecError.one(message, place_of(option), suggest(option, known))
