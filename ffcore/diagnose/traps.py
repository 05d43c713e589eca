"""What a spec says that is valid, and hardly ever meant."""

from __future__ import annotations

from ffcore.spec.problem import ComponentKind, EinsumProblem, PathProblem, Problem


def traps(problem: Problem) -> list[str]:
    """One sentence for each, with what to do."""
    found: dict[str, None] = {}
    for einsum in problem.einsums:
        for path in einsum.paths:
            memory = _keeps_nothing(einsum, path)
            if memory:
                found[
                    f"memory {memory}, the outermost, must keep nothing, so that inputs may appear further in, and "
                    "outputs vanish there, for free: say what it keeps (tensors: {keep: ~Intermediates, may_keep: All})"
                ] = None
    return list(found)


def _keeps_nothing(einsum: EinsumProblem, path: PathProblem) -> str:
    """The name of the path's outermost memory, if it must keep nothing while another one may keep things."""
    outer = ""
    for index, name in enumerate(path.names):
        component = path.component(index, {n: frozenset() for n in path.names[:index]})
        if component.kind is not ComponentKind.MEMORY or component.holding is None:
            continue
        if outer:
            return outer if component.holding.must | component.holding.may else ""
        if component.holding.must or einsum.intermediates >= set(einsum.names):
            return ""
        outer = name
    return ""
