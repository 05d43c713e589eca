"""From a cause to fields that could be set, and to what they say now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ffcore.plugin import Cause, CauseKind, Compute, Need, Spec, walk
from ffcore_explain.explanation import Limit, Setting, Suggestion
from ffcore_explain.limits import limits_of, switch


def suggestions_of(spec: Spec, cause: Cause) -> tuple[Suggestion, ...]:
    """Settings of which each is said to remove the cause, the least change first; not yet tried."""
    found: list[tuple[Setting, ...]] = []
    if cause.needs:
        found.append(tuple(map(_sized, cause.needs)))
        found += [(_sized(need),) for need in cause.instead]
    if cause.kind is CauseKind.COMPUTE:
        found += [lift.settings for lift in _switches(spec)]
    lifted = [_settings(spec, constraint.path) for constraint in cause.constraints]
    found += lifted if cause.any_one else [_together(lifted)]
    return tuple(Suggestion(settings) for settings in dict.fromkeys(found) if settings)


def fields_of(spec: Spec, cause: Cause) -> tuple[Limit, ...]:
    """The fields that state what the cause names."""
    paths = [need.path for need in (*cause.needs, *cause.instead)]
    paths += [constraint.path for constraint in cause.constraints]
    found = [lift for path in paths for lift in limits_of(spec, path)]
    if cause.kind is CauseKind.COMPUTE:
        found += _switches(spec)
    return tuple(dict.fromkeys(found))


def _sized(need: Need) -> Setting:
    return Setting(need.path, f"{need.needed_bits:.15g}")


def _settings(spec: Spec, path: str) -> tuple[Setting, ...]:
    return _together(lift.settings for lift in limits_of(spec, path))


def _together(groups: Iterable[Sequence[Setting]]) -> tuple[Setting, ...]:
    """All settings at once; of several for one field the last one counts."""
    return tuple({setting.path: setting for settings in groups for setting in settings}.values())


def _switches(spec: Spec) -> list[Limit]:
    computes = [node for node in walk(spec.arch.nodes) if isinstance(node, Compute)]
    return [switch(spec, node) for node in computes]
