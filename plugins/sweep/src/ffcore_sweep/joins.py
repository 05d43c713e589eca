"""The join of one point, or of some that go to a worker together, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

import attrs

from ffcore.plugin import (
    COMPARED,
    DefaultModel,
    EinsumPmappings,
    FFError,
    JointEvaluation,
    Metric,
    Nest,
    NoValidMappingError,
    PmappingSet,
    Problem,
    check_explored,
    nothing_joined,
    select,
)
from ffcore_sweep.columns import Detail
from ffcore_sweep.needs import Need
from ffcore_sweep.neighbours import Neighbour, common, known, same_in
from ffcore_sweep.points import Point
from ffcore_sweep.restrict import Restricted, Sizes, restricted
from ffcore_sweep.result import FAILED, NOTHING, shortened
from ffcore_sweep.sharing import Exploration, Plan

if TYPE_CHECKING:
    from ffcore.plugin import Progress


@attrs.frozen
class Found:
    """The mappings of a point: nests, energy (J) and latency (s), and what else a table shows of each."""

    nests: tuple[tuple[Nest, ...], ...]
    numbers: tuple[tuple[float, float], ...]
    details: tuple[Detail, ...]

    @classmethod
    def of(cls, nests: Sequence[tuple[Nest, ...]], evaluations: Sequence[JointEvaluation]) -> Found:
        numbers = tuple((e.total_energy, e.total_latency) for e in evaluations)
        return cls(tuple(nests), numbers, tuple(map(Detail.of, evaluations)))


@attrs.frozen
class Failure:
    """Why a point has no mapping: one of the statuses of `SweepPoint`, the reason, and the same in a few words."""

    status: str
    reason: str
    short: str

    @classmethod
    def of(cls, error: FFError) -> Failure:
        return cls(NOTHING if isinstance(error, NoValidMappingError) else FAILED, str(error), shortened(error))


Outcome = Found | Failure


@attrs.frozen(eq=False)
class Join:
    """All that the join of a point needs but what was found, which is large; it may be done in another process."""

    problem: Problem
    joiner: Any
    exact: bool  # the joiner
    model: Any
    needs: tuple[Need, ...]
    places: tuple[int, ...]  # of what was found for each of them, in the order of the explorations
    explored: tuple[Sizes, ...]
    scales: tuple[tuple[tuple[str, float], ...], ...]  # of latencies that rows keep apart

    @classmethod
    def of(cls, point: Point, plan: Plan, explorations: Mapping[int, Exploration]) -> Join:
        needs, numbers = zip(*plan.needs_of(point), strict=True)
        places = {k: place for place, k in enumerate(dict.fromkeys(numbers))}
        return cls(
            point.problem,
            point.joiner,
            point.exact,
            point.model,
            needs,
            tuple(places[k] for k in numbers),
            tuple(explorations[k].sizes for k in numbers),
            tuple(explorations[k].scales(need) for need, k in zip(needs, numbers, strict=True)),
        )

    def run(
        self,
        found: Sequence[EinsumPmappings],
        neighbours: list[Neighbour],
        executor: Executor | None = None,
        progress: Progress | None = None,
    ) -> Outcome:
        """Join the rows that the point has; what goes wrong with this point alone is its outcome.

        ``neighbours``: mappings of points that need the same of what was ``found``; those of this point are added.
        """
        own = [found[place] for place in self.places]
        sizes = [need.sizes for need in self.needs]
        options = self.problem.options
        same, usage = same_in(self.problem), bool(options.metrics & Metric.RESOURCE_USAGE)
        try:
            rows = self._rows(own)
            pmappings = PmappingSet(
                self.problem,
                tuple(r.of(need.einsum, need.templates) for r, need in zip(rows, self.needs, strict=True)),
                known=known(neighbours, same, options, own, sizes, self.scales),
            )
            empty = tuple(e.einsum.name for e in pmappings.einsums if not len(e.rows))
            check_explored(self.problem, attrs.evolve(pmappings, without=empty))
            joined = self.joiner.join(self.problem, pmappings, executor=executor, progress=progress)
            if not joined:
                raise nothing_joined(self.problem, pmappings, self.joiner, self.exact)
            if not options.metrics & ~COMPARED:
                joined = select(self.problem, joined)
            evaluations = [self.model.evaluate(self.problem, mapping.nests) for mapping in joined]
        except FFError as error:
            return Failure.of(error)
        # Else bits do not say what fits; where usage counts, joins make nothing of what is known.
        told = type(self.model) is DefaultModel and common(sizes) is not None and not usage
        for mapping, evaluation in zip(joined, evaluations, strict=True):
            if told and mapping.rows and mapping.proven:  # others are no news, or of joiners that do not tell
                chosen = (int(r.source[row]) for r, row in zip(rows, mapping.rows, strict=True))
                neighbours.append(Neighbour.of(same, own, chosen, mapping, evaluation))
        return Found.of([mapping.nests for mapping in joined], evaluations)

    def _rows(self, own: Sequence[EinsumPmappings]) -> list[Restricted]:
        """Each Einsum's rows; those of equal Einsums are the same arrays, which joiners make use of."""
        of_key: dict[object, Restricted] = {}
        for need, found, explored, scales in zip(self.needs, own, self.explored, self.scales, strict=True):
            if need.key not in of_key:
                of_key[need.key] = restricted(found, explored, need.sizes, need.shape, need.options, scales)
        return [of_key[need.key] for need in self.needs]


@attrs.frozen(eq=False)
class Chain:
    """Joins of points that need the same explorations, which are done one after the other.

    ``places``: of the explorations, among those of all chains of a task; ``neighbours``: known before the first join;
    ``goes_on``: are there more of them, for which what is known is to be told?
    """

    joins: tuple[Join, ...]
    places: tuple[int, ...]
    neighbours: tuple[Neighbour, ...]
    goes_on: bool

    def run(self, found: Sequence[EinsumPmappings]) -> tuple[list[Outcome], tuple[Neighbour, ...]]:
        """What comes of each, and what is known after the last."""
        neighbours = list(self.neighbours)
        own = [found[place] for place in self.places]
        outcomes = [join.run(own, neighbours) for join in self.joins]
        return outcomes, tuple(neighbours) if self.goes_on else ()


def joined(chains: Sequence[Chain], *found: EinsumPmappings) -> list[tuple[list[Outcome], tuple[Neighbour, ...]]]:
    """The joins of some points, by whoever has time for them; see `Chain.run`."""
    return [chain.run(found) for chain in chains]
