"""What a result promises: how far from the optimum it can be at most."""

from __future__ import annotations

from typing import Any

import attrs

from ffcore.spec.problem import Problem


@attrs.frozen
class Guarantee:
    """No mapping that leaves the share ``free`` of each limited memory free is better by more than ``factor``.

    For each of them a returned mapping is at most ``factor`` times as large in every metric asked for. Exact
    results have factor 1 and leave nothing free.
    """

    factor: float = 1.0
    free: float = 0.0

    def __str__(self) -> str:
        if self.factor == 1 and not self.free:
            return "optimal"
        text = "optimal" if self.factor == 1 else f"within a factor of {self.factor:g} of the optimum"
        return text + (f" of mappings that leave {self.free:.4g} of each limited memory free" if self.free else "")


def guarantee_of(joiner: Any, problem: Problem) -> Guarantee | None:
    """What a joiner promises for the problem's options; None for one that promises nothing.

    ``resource_usage_tolerance`` t rounds up, once for each Einsum, the shares of memories that pmappings take: of
    n Einsums together at most n t.
    """
    promise = getattr(joiner, "guarantee", None)
    if promise is None:
        return None
    free = problem.options.resource_usage_tolerance * len(problem.einsums)
    return Guarantee(float(promise(problem.options)), min(1.0, free))
