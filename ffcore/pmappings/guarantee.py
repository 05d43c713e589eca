"""What a result promises: how far from the optimum it can be at most."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from ffcore.errors import TimeLimitError
from ffcore.spec.problem import Problem
from ffcore.units import Dimension, format_quantity

if TYPE_CHECKING:
    from ffcore.plugin import Joiner
    from ffcore.pmappings.set import JoinedMapping

_NAMED = 3  # Einsums of which it is said how far they came


@attrs.frozen
class Guarantee:
    """No mapping that leaves the share ``free`` of each limited memory free is better by more than ``factor``.

    For each of them a returned mapping is at most ``factor`` times as large in every metric asked for. Exact
    results have factor 1 and leave nothing free. ``reason``: why nothing is promised (the factor is infinite then).
    """

    factor: float = 1.0
    free: float = 0.0
    reason: str = ""

    def __str__(self) -> str:
        if self.reason:
            return f"none ({self.reason})"
        if self.factor == 1 and not self.free:
            return "optimal"
        text = "optimal" if self.factor == 1 else f"within a factor of {self.factor:g} of the optimum"
        return text + (f" of mappings that leave {self.free:.4g} of each limited memory free" if self.free else "")


def guarantee_of(
    joiner: Joiner, problem: Problem, source: object = None, joined: Sequence[JoinedMapping] = ()
) -> Guarantee | None:
    """What a joiner promises for the problem's options; None for one that promises nothing.

    ``resource_usage_tolerance`` t rounds up, once for each Einsum, the shares of memories that pmappings take: of
    n Einsums together at most n t. Nothing is promised where a limit of time ended the exploration of ``source`` or the
    join of its ``joined`` mappings, or where these say why they are not proven.
    """
    factor = joiner.guarantee(problem.options)
    if factor is None:
        return None
    ended = _ended(problem, source, joined)
    if ended:
        return Guarantee(math.inf, 0.0, ended)
    free = problem.options.resource_usage_tolerance * len(problem.einsums)
    return Guarantee(float(factor), min(1.0, free))


def check_complete(problem: Problem, source: object) -> None:
    """Raise TimeLimitError for pmappings that do not go together, if some are missing because time was up."""
    ended = _ended(problem, source, ())
    if ended:
        raise TimeLimitError(
            f"no mapping was found in time: {ended}; raise mapper.ffm.time_limit (--time-limit), or constrain what "
            "runs across the array (reuse, loop_bounds, min_usage)"
        )


def _ended(problem: Problem, source: object, joined: Sequence[JoinedMapping]) -> str:
    """Why nothing can be promised; empty if nothing was left out."""
    from ffcore.pmappings.set import PmappingSet

    limit = problem.options.time_limit
    limit_text = f"the time limit of {format_quantity(limit, Dimension.TIME)}" if limit < math.inf else "a time limit"
    cut = [e for e in source.einsums if not e.stats.complete] if isinstance(source, PmappingSet) else []
    if cut:
        explored = [f"{len(e.templates) - e.stats.unexplored:,} of {len(e.templates):,}" for e in cut]
        parts = [f"{n} templates of {e.einsum.name}" for n, e in zip(explored[:_NAMED], cut, strict=False)]
        if len(cut) > _NAMED:
            parts.append(f"a part of those of {len(cut) - _NAMED} more Einsums")
        return f"{limit_text} ended the search: {', '.join(parts)} were explored"
    if reasons := [mapping.unproven for mapping in joined if mapping.unproven]:
        return reasons[0]
    if not all(mapping.proven for mapping in joined):
        return f"{limit_text} ended the join before everything was looked at"
    return ""
