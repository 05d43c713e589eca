"""The comparison with no fusion: the best mappings that keep every shared tensor in the outermost memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffcore.api import map_with_pmappings
from ffcore.errors import FFError, NoValidMappingError
from ffcore.mapper.ffm import join_as
from ffcore.phases import phase, unrecorded
from ffcore.pmappings.set import PmappingSet
from ffcore.spec.problem import ComponentKind, PathProblem, Problem

if TYPE_CHECKING:
    from ffcore.plugin import Progress
    from ffcore.results import Mappings, PmappingGroup, Pmappings
    from ffcore.spec import Spec

NOTHING_SHARED = "no tensor is used by more than one Einsum, so there is nothing to fuse"
SWITCHED_OFF = "not computed"


def unfused(
    spec: Spec, pmappings: Pmappings, *, jobs: int | None = None, progress: Progress | None = None
) -> tuple[Mappings | None, str]:
    """The best mappings without fusion under the spec's metrics, or None and why there are none.

    Pmappings of the default explorer hold all that is needed: those that keep shared tensors elsewhere are left out
    before joining, which is exact, as pmappings are pruned only by others of the same compatibility. For another
    explorer the spec is mapped again, with these tensors kept in the outermost memory.
    """
    problem = pmappings.problem
    if not any(einsum.shared for einsum in problem.einsums):
        return None, NOTHING_SHARED
    memories = {einsum.name: {_outermost(path) for path in einsum.paths} for einsum in problem.einsums}
    named = " or ".join(sorted(set().union(*memories.values()) - {""}))
    with phase("no fusion"), unrecorded():
        try:
            if isinstance(pmappings.source, PmappingSet):
                alone = pmappings.filter(lambda group: _is_unfused(group, memories))
                return join_as(spec, problem, alone, n_jobs=jobs, progress=progress), ""
            return map_with_pmappings(_kept_outside(spec, problem), n_jobs=jobs, progress=progress)[0], ""
        except NoValidMappingError as error:
            return None, f"no valid mapping keeps every shared tensor in {named}: {error}"
        except FFError as error:  # a joiner that does not take a part of the pmappings, ...
            return None, f"not computed: {error}"


def _outermost(path: PathProblem) -> str:
    """The path's first memory; empty if it has none."""
    for index, name in enumerate(path.names):
        if path.component(index, {}).kind is ComponentKind.MEMORY:
            return name
    return ""


def _is_unfused(group: PmappingGroup, memories: dict[str, set[str]]) -> bool:
    return all(tensor.memory in memories[group.einsum_name] for tensor in group.compatibility.tensors)


def _kept_outside(spec: Spec, problem: Problem) -> Spec:
    """The spec with every shared tensor kept in the outermost memory."""
    changed = spec.copy()
    for name in dict.fromkeys(_outermost(path) for einsum in problem.einsums for path in einsum.paths):
        rules = changed.arch.nodes[name].tensors
        if rules.keep is None and rules.may_keep is None:
            rules.may_keep = "All"  # what it is by default, but only where nothing must be kept
        rules.keep = "Shared" if rules.keep is None else f"({rules.keep}) | Shared"
    return changed
