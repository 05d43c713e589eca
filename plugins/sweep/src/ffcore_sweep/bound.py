"""The least traffic with the outermost memory, by the size of the one buffer below it: a staircase, exact for any size.

One exploration serves all sizes: it keeps how much of the buffer each pmapping takes as an objective beside traffic.
From the largest size on, the mapping of least traffic is joined for a size; what it takes of the buffer says down to
which size nothing changes, and the next size is the one below. Exact: more room never costs traffic, so that between
two sizes of equal traffic there is no other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from ffcore.plugin import (
    FFError,
    Job,
    NoValidMappingError,
    PmappingSet,
    Problem,
    Spec,
    Step,
    as_completed,
    einsum_choices,
    needs,
    occupancy_unit,
    with_sizes,
    workers,
    workers_of,
)
from ffcore_sweep.needs import Need, Needs
from ffcore_sweep.restrict import restricted
from ffcore_sweep.run import explored
from ffcore_sweep.sharing import Exploration, exploration_of

if TYPE_CHECKING:
    from ffcore.plugin import EinsumPmappings, Progress

ARCH = "two_level"
OUTER, BUFFER = "DRAM", "Buffer"
"""An architecture whose energy is its traffic: 1 J for each bit between these two."""

MOST_JOINS = 1000


@attrs.frozen
class Stair:
    """From ``size`` (bits) on, ``traffic`` (bits) is the least, up to the next stair.

    ``exact`` False: sizes between the last one and this one were not looked at; it may begin at a smaller one.
    """

    size: float
    traffic: float
    exact: bool = True


@attrs.frozen
class Bound:
    """Staircases, least size first; ``minimum``: bits that must be moved, each input and output once."""

    fused: tuple[Stair, ...]
    unfused: tuple[Stair, ...]
    minimum: float
    workload: str = ""

    @property
    def exact(self) -> bool:
        """Is every size known?"""
        return all(stair.exact for stair in self.fused)

    def traffic(self, size: float, *, fused: bool = True) -> float:
        """Bits that are moved at least with a buffer of ``size`` bits; infinite where no mapping fits."""
        stairs = (*self.fused, *self.unfused) if fused else self.unfused  # whoever may fuse need not
        return min((stair.traffic for stair in stairs if stair.size <= size), default=math.inf)


def bound(
    *workload: str,
    most_joins: int = MOST_JOINS,
    n_jobs: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    **parameters: Any,
) -> Bound:
    """The least DRAM traffic of a workload for every size of an on-chip buffer, fused and not fused.

    ``workload``: spec files or bare names; ``parameters``: Jinja parameters. With perfect factors, unless the files ask
    for others. ``most_joins`` limits how many sizes are looked at; ``n_jobs``, ``executor``, ``progress``: see
    `make_pmappings`. Raises SpecError.
    """
    spec = Spec.from_yaml(ARCH, *workload, jinja_parse_data=parameters)
    return bound_of(spec, most_joins=most_joins, n_jobs=n_jobs, executor=executor, progress=progress)


def bound_of(
    spec: Spec,
    *,
    most_joins: int = MOST_JOINS,
    n_jobs: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Bound:
    """`bound` of a spec with the architecture `ARCH`; with perfect factors unless it asks for others."""
    spec = spec.copy()
    spec.mapper.ffm.metrics = "energy"  # type: ignore[assignment]
    job = Job.of(spec).check()
    if job.problem.options.time_limit < math.inf:
        raise FFError("a bound that is not the least is none: leave mapper.ffm.time_limit at its default")
    found = _Found.of(job)
    with workers(spec, n_jobs, executor) as pool:
        found.explore(pool, progress)
        unfused = found.unfused()
        fused = unfused
        if len(job.problem.einsums) > 1:
            fused = _Walk(found, most_joins, progress).stairs(pool)
    name = ", ".join(e.name for e in job.problem.einsums[:3]) + (", …" if len(job.problem.einsums) > 3 else "")
    return Bound(fused, unfused, minimum_of(found.needs), name)


def minimum_of(needs: Sequence[Need]) -> float:
    """Bits of all tensors that are not intermediates, of all instances: each is moved once at least, for each way in
    which an Einsum reads it."""
    einsums = [need.einsum for need in needs]
    made = {t.name for e in einsums for t in e.tensors if t.output}
    read = {t.base for e in einsums for t in e.tensors if not t.output}
    found: dict[str, float] = {}
    for need in needs:
        einsum = need.einsum
        outer = next(c for template in need.templates for c in template.components if c.name == OUTER)
        for tensor in einsum.tensors:
            if tensor.base not in made & read:
                bits = tensor.tile_values(einsum.bounds) * einsum.n_instances * outer.width(tensor)
                found[tensor.name] = max(found.get(tensor.name, 0.0), bits)
    return math.fsum(found.values())


@attrs.define(eq=False)
class _Found:
    """The explorations of all Einsums, with the whole buffer's use as an objective."""

    job: Job
    problem: Problem  # with the largest size
    largest: float
    unit: Fraction  # of which every occupancy is a multiple
    needs: list[Need]
    explorations: list[Exploration]
    numbers: list[int]  # of the exploration that meets each need
    all_needs: Needs
    pmappings: dict[int, EinsumPmappings] = attrs.Factory(dict)

    @classmethod
    def of(cls, job: Job) -> _Found:
        # More than all Einsums together can ever hold there.
        enough = (needs(einsum, einsum_choices(einsum))[BUFFER] for einsum in job.problem.einsums)
        largest = 2.0 * math.fsum(enough)
        problem = with_sizes(job.problem, {BUFFER: largest})
        all_needs = Needs()
        needed = all_needs.of_problem(problem)
        explorations: list[Exploration] = []
        numbers: list[int] = []
        known: dict[object, int] = {}
        for need in needed:
            if need.content not in known:
                known[need.content] = len(explorations)
                smaller = attrs.evolve(need, sizes={**need.sizes, BUFFER: 0.0})  # so that its use is an objective
                explorations.append(exploration_of([need, smaller]))
            numbers.append(known[need.content])
        unit = occupancy_unit(problem)
        return cls(job, problem, largest, unit, needed, explorations, numbers, all_needs)

    def explore(self, pool: Executor | None, progress: Progress | None) -> None:
        """Each exploration once."""
        calls = [(exploration.stored,) for exploration in self.explorations]
        last = Step("explore", 0, len(calls))

        def tell() -> None:
            if progress is not None:
                progress(last)

        tell()
        with closing(as_completed(pool if len(calls) > 1 else None, explored, calls, tell)) as run:
            for number, found in run:
                self.pmappings[number] = found
                last = Step("explore", len(self.pmappings), len(calls), rows=len(found.rows))
                tell()

    def unfused(self) -> tuple[Stair, ...]:
        """The staircase where every tensor goes through the outer memory: each Einsum has the buffer to itself."""
        fronts = [self._front(k) for k in self.numbers]
        sizes = sorted({size for front in fronts for size, _ in front})
        stairs: list[Stair] = []
        for size in sizes:
            least = [min((t for own, t in front if own <= size), default=math.inf) for front in fronts]
            traffic = math.fsum(least) if math.inf not in least else math.inf
            if traffic < (stairs[-1].traffic if stairs else math.inf):
                stairs.append(Stair(size, traffic))
        return tuple(stairs)

    def _front(self, number: int) -> list[tuple[float, float]]:
        """(bits of the buffer, bits moved) of the pmappings of one Einsum that share nothing, the least of each."""
        found = self.pmappings[number]
        rows, exploration = found.rows, self.explorations[number]
        outer = [c.name for c in found.places].index(OUTER)
        alone = ((rows.memory == outer) & (rows.depth <= 0)).all(axis=1)
        values = rows.values[np.flatnonzero(alone)]
        shares = values[:, found.shape.own(found.shape.memories.index(BUFFER))]
        front: list[tuple[float, float]] = []
        for share, traffic in sorted(zip(shares.tolist(), values[:, 0].tolist(), strict=True)):
            if traffic < (front[-1][1] if front else math.inf):
                front.append((self.rounded(share * exploration.sizes[BUFFER]), traffic))
        return front

    def rounded(self, bits: float) -> float:
        """The multiple of the unit that is meant."""
        return float(round(Fraction(bits) / self.unit) * self.unit)

    def join_at(self, size: float) -> _Join:
        """All that it takes to join for one size."""
        problem = with_sizes(self.problem, {BUFFER: size})
        needed = self.all_needs.of_problem(problem)
        explored_sizes = tuple(self.explorations[k].sizes for k in self.numbers)
        return _Join(problem, self.job.joiner, self.job.model, tuple(needed), tuple(self.numbers), explored_sizes)

    def all_pmappings(self) -> list[EinsumPmappings]:
        """Those of each exploration, in order."""
        return [self.pmappings[k] for k in range(len(self.explorations))]


@attrs.frozen(eq=False)
class _Join:
    """The join for one size, by whoever has time for it."""

    problem: Problem
    joiner: Any
    model: Any
    needs: tuple[Need, ...]
    numbers: tuple[int, ...]
    explored: tuple[Mapping[str, float], ...]

    def run(self, *found: EinsumPmappings) -> tuple[float, float] | None:
        """(bits of the buffer that are in use at most, bits moved) of the best mapping; None if there is none."""
        own, known = [], dict[object, Any]()
        for need, number, sizes in zip(self.needs, self.numbers, self.explored, strict=True):
            if need.key not in known:
                known[need.key] = restricted(found[number], sizes, need.sizes, need.shape, need.options)
            own.append(known[need.key].of(need.einsum, need.templates))
        if not all(len(pmappings.rows) for pmappings in own):
            return None
        try:
            joined = self.joiner.join(self.problem, PmappingSet(self.problem, tuple(own)))
        except NoValidMappingError:
            return None
        evaluations = [self.model.evaluate(self.problem, mapping.nests) for mapping in joined]
        taken = [(e.peak_bits(BUFFER), e.total_energy) for e in evaluations]
        return min(taken, key=lambda x: (x[1], x[0]), default=None)


@attrs.frozen
class _Known:
    """For sizes from ``low`` to ``high`` (bits) the least traffic is the same."""

    low: float
    high: float
    traffic: float


@attrs.define(eq=False)
class _Walk:
    """From size to size, as `bound` says; all gaps at once, as far as there are workers."""

    found: _Found
    most_joins: int
    progress: Progress | None
    joins: int = 0

    def stairs(self, pool: Executor | None) -> tuple[Stair, ...]:
        """The staircase of the least traffic."""
        known = [_Known(0.0, 0.0, math.inf)]  # nothing fits in nothing
        sizes = [self.found.largest]
        low = 2.0 ** math.ceil(math.log2(float(self.found.unit)))
        sizes += [low * 2.0**k for k in range(int(math.log2(self.found.largest / low)) + 1)]
        while sizes and self.joins < self.most_joins:
            sizes = sizes[: self.most_joins - self.joins]
            known = _merged([*known, *self._at(sizes, pool)])
            sizes = [upper.low - float(self.found.unit) for _, upper in self._gaps(known)]
        open_below = {upper.low for _, upper in self._gaps(known)}
        stairs: list[Stair] = []
        for one in known:
            if one.traffic < (stairs[-1].traffic if stairs else math.inf):
                stairs.append(Stair(one.low, one.traffic, one.low not in open_below))
        return tuple(stairs)

    def _gaps(self, known: Sequence[_Known]) -> Iterator[tuple[_Known, _Known]]:
        """Neighbours with sizes between them of which nothing is known."""
        unit = float(self.found.unit)
        for lower, upper in pairwise(known):
            if lower.traffic > upper.traffic and upper.low - lower.high > unit * 1.5:
                yield lower, upper

    def _at(self, sizes: Sequence[float], pool: Executor | None) -> Iterator[_Known]:
        pmappings = self.found.all_pmappings()
        calls = [(self.found.join_at(size), *pmappings) for size in sizes]
        at_once = pool if len(calls) > 1 and workers_of(pool, len(calls)) > 1 else None
        with closing(as_completed(at_once, _Join.run, calls, self._tell)) as run:
            for number, answer in run:
                self.joins += 1
                self._tell()
                low, traffic = (0.0, math.inf) if answer is None else answer
                yield _Known(self.found.rounded(low), sizes[number], traffic)

    def _tell(self) -> None:
        if self.progress is not None:
            self.progress(Step("join", note=f"{self.joins} sizes"))


def _merged(known: Sequence[_Known]) -> list[_Known]:
    """Ranges in order, those of equal traffic put together: between them nothing else can be."""
    result: list[_Known] = []
    for one in sorted(known, key=lambda k: (k.high, k.low)):
        if result and result[-1].traffic == one.traffic:
            result[-1] = _Known(min(result[-1].low, one.low), max(result[-1].high, one.high), one.traffic)
        else:
            result.append(one)
    return result
