"""Which explorer and which joiner a spec means: the one place that knows what goes with what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ffcore import plugin
from ffcore.errors import SpecError
from ffcore.plugin import ExplorerRecord, JoinerRecord
from ffcore.plugin.given_options import check_options
from ffcore.plugin.known import DEFAULT_JOINER
from ffcore.spec.resolve.imperfect import IMPERFECT, is_auto

if TYPE_CHECKING:
    from ffcore.spec import Spec
    from ffcore.spec.problem import Problem

DEFAULT_EXPLORER = "default"
ALONE = "single"
"""The joiner for workloads of one Einsum, which core brings along."""


def joiner_name(spec: Spec) -> str:
    """The name of the joiner that a spec means.

    It is the one that it names; where the default one is not installed and nothing has to be joined, core's own.
    """
    named = spec.mapper.joiner
    if named != DEFAULT_JOINER or len(spec.workload.einsums) != 1 or named in plugin.names("joiner"):
        return named
    return ALONE


def explorer_of(spec: Spec, joiner: str | None = None) -> str:
    """The name of the explorer that makes pmappings for a joiner (None: the spec's).

    It is the one that the spec names; where it is left at its default, the one that the joiner asks for.
    """
    named = spec.mapper.explorer
    if named != DEFAULT_EXPLORER:
        return named
    wanted = joiner or joiner_name(spec)
    # A joiner that is not installed is for the join to complain of: pmappings can be made without one.
    found = [r.explorer for r in plugin.records("joiner") if isinstance(r, JoinerRecord) and r.name == wanted]
    return found[0] if found else DEFAULT_EXPLORER


def as_searched(spec: Spec, explorer: str | None = None, joiner: str | None = None) -> Spec:
    """The spec with perfect factors in place of ``auto``, if what searches it offers no others; else as it is.

    That is the explorer, the joiner (None: the spec's) and the law of a model, under which nothing offers them.
    """
    automatic = [name for name in IMPERFECT if is_auto(getattr(spec.mapper.ffm, name))]
    # Parts are looked up only where it matters: without them a spec can still be checked.
    if not automatic:
        return spec
    law = plugin.current_manager().law(spec.mapper.model)
    if law is None and not _perfect_only(spec, explorer, joiner):
        return spec
    result = spec.copy()
    for name in automatic:
        setattr(result.mapper.ffm, name, False)
    return result


def check_imperfect(problem: Problem, spec: Spec, explorer: str | None = None, joiner: str | None = None) -> None:
    """Raise SpecError for a problem with imperfect factors if some part that searches it offers none."""
    asked = [name for name in IMPERFECT if getattr(problem.options, name)]
    for part in _perfect_only(spec, explorer, joiner) if asked else ():
        raise SpecError.one(
            f"the {part} offers perfect factors only: set mapper.ffm.{' and '.join(asked)} to False or auto "
            "(--imperfect none or auto)",
            spec.mapper.ffm.position_of(asked[0]),
        )


def _perfect_only(spec: Spec, explorer: str | None, joiner: str | None) -> list[str]:
    """The parts that offer no imperfect factors, of those that search."""
    explorer, joiner = explorer or explorer_of(spec, joiner), joiner or joiner_name(spec)
    found = [r for r in plugin.records("joiner") if r.name == joiner]
    found += [r for r in plugin.records("explorer") if r.name == explorer]
    offering = ExplorerRecord | JoinerRecord
    return [f"{r.kind} {r.name!r}" for r in found if isinstance(r, offering) and not r.imperfect]


def joiner_of(spec: Spec, name: str | None = None, options: Mapping[str, Any] | None = None) -> Any:
    """The joiner ``name`` (None: the spec's) with ``options`` and, if the spec names it too, the spec's options for it.

    Raises SpecError for options that it does not have, PluginError where it is not installed; what it says of values
    that make no sense (FFError) passes through.
    """
    wanted = name or joiner_name(spec)
    own = spec.mapper.joiner_options if wanted == spec.mapper.joiner else {}
    both = {**own, **(options or {})}
    check_options("joiner", wanted, both, lambda o: spec.mapper.place_of("joiner_options") if o in own else None)
    return plugin.get("joiner", wanted, **both)
