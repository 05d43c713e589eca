"""Running a sweep: shared explorations first, then the joins of the points, both by the job's workers."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Collection, Container, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from ffcore.plugin import (
    CacheWarning,
    DamagedCacheError,
    EinsumPmappings,
    FFError,
    MappingEntry,
    Mappings,
    PmappingFiles,
    Pmappings,
    Step,
    Stored,
    as_completed,
    explore_einsum,
    join_as,
    make_pmappings,
    phase,
    set_mapper,
    workers,
    workers_of,
)
from ffcore_sweep.axes import Axis, Vary, axes_of
from ffcore_sweep.batch import Batch
from ffcore_sweep.chains import Chains
from ffcore_sweep.chosen import ALL, Choice
from ffcore_sweep.columns import Design
from ffcore_sweep.joins import Failure, Found, Join, Outcome, joined
from ffcore_sweep.kept import Kept
from ffcore_sweep.points import Point, Source, points_of
from ffcore_sweep.result import FOUND, Sweep, SweepPoint, best_of
from ffcore_sweep.sharing import Exploration, Plan, plan

if TYPE_CHECKING:
    from ffcore.plugin import Progress

T = TypeVar("T")

_CHAINS_AT_ONCE = 4  # per worker at least: what they share is explored before the first of them is joined
_MANY = 256  # points per worker, where they take no time
_QUICK = 2.0  # s, for a batch
_TASK = 0.5  # s, that points which go to a worker together take: what a task costs beside them is some ms
_SHARE = 4  # tasks at least that each worker has of a batch
_EXPLORATIONS = 64  # that are kept for one batch of many points
_DESIGNS = 256  # that are kept


def sweep(
    spec: Source,
    vary: Vary,
    *,
    where: str | Sequence[str] = (),
    sample: int | None = None,
    seed: int = 0,
    cache_dir: str | Path | None = None,
    n_jobs: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """Map a workload under all combinations of some values; each point's result is that of a run of its own.

    ``vary``: values by path, such as ``{"arch.nodes.GlobalBuffer.size": ["16 MiB", "32 MiB"]}``, whatever
    `Spec.set` can set; texts may have units. ``set.NAME`` varies the Jinja parameter NAME: ``spec`` is then a function
    of these parameters which returns the spec; so do ``arch`` and ``workload``, which name files. Points are the cross
    product, the first path slowest; paths in a tuple go together, with a tuple of values for each point. ``where``
    keeps those of which a condition holds, such as ``"SRAM.size <= 8 * clusters * MiB"``; ``sample`` draws so many of
    them by ``seed``, spread as a Latin hypercube.

    Pmappings are shared between points wherever that is exact: sizes of memories, the number of fused loops, metrics,
    joiners, and all that does not bear on an Einsum. ``cache_dir`` keeps them in a folder. ``n_jobs``, ``executor``,
    ``progress``: see `make_pmappings`.

    A point without a valid mapping says why. Raises one SpecError for all that is wrong with any point, and
    PluginError, before anything is searched.
    """
    choice = Choice(where, sample, seed)
    return prepared(spec, vary, choice).run(cache_dir=cache_dir, n_jobs=n_jobs, executor=executor, progress=progress)


def prepared(spec: Source, vary: Vary, choice: Choice = ALL) -> SweepJob:
    """A sweep that was checked and planned, not yet run. Arguments and errors are those of `sweep`."""
    axes = axes_of(vary)
    with phase("spec"):
        points = points_of(spec, axes, choice)
    with phase("templates"):
        return SweepJob(axes, points, plan(points))


@attrs.frozen(eq=False)
class SweepJob:
    """A sweep to run. ``workers``: other ones than its specs name, by fields of ``spec.mapper``."""

    axes: tuple[Axis, ...]
    points: Sequence[Point]
    plan: Plan
    workers: Mapping[str, str] = attrs.Factory(dict)

    def run(
        self,
        *,
        cache_dir: str | Path | None = None,
        n_jobs: int | None = None,
        executor: Executor | None = None,
        progress: Progress | None = None,
    ) -> Sweep:
        """Run it; see `sweep`."""
        results: dict[int, SweepPoint] = {}
        for point in self.each(cache_dir=cache_dir, n_jobs=n_jobs, executor=executor, progress=progress):
            results[point.number] = point
        return Sweep(self.axes, tuple(results[number] for number in range(len(self.points))))

    def each(
        self,
        *,
        done: Container[int] = (),
        cache_dir: str | Path | None = None,
        n_jobs: int | None = None,
        executor: Executor | None = None,
        progress: Progress | None = None,
    ) -> Generator[SweepPoint, None, None]:
        """Each point as soon as it is done, which need not be in order of the grid; not those whose numbers are in
        ``done``. Nothing is kept of points that were taken."""
        missing = [number for number in range(len(self.points)) if number not in done]
        if not missing:
            return
        files = None if cache_dir is None else PmappingFiles(Path(cache_dir))
        spec = self.points[missing[0]].spec
        if self.workers:
            spec = spec.copy()
            set_mapper(spec, self.workers)
        with workers(spec, n_jobs, executor) as pool:
            count = len(self.points)
            yield from _Run(self.plan, pool, files, progress, count, count - len(missing)).all(missing)


@attrs.define(eq=False)
class _Run:
    plan: Plan
    pool: Executor | None
    files: PmappingFiles | None
    progress: Progress | None
    n_points: int
    _done: int = 0  # points
    _together: int = 1  # points of a task
    _given: frozenset[int] = frozenset()  # points that are asked for: others of their chains are joined for these only
    _chains: Chains = attrs.field(factory=lambda: Chains((), {}))
    _joined: bool = False  # was some point joined in this process?
    _last: Step | None = None
    _explorations: dict[int, Exploration] = attrs.Factory(dict)  # by number
    _found: dict[int, EinsumPmappings] = attrs.Factory(dict)  # likewise
    _designs: Kept[Design] = attrs.field(factory=lambda: Kept(_DESIGNS))  # by the values that bear on them

    def all(self, numbers: Sequence[int]) -> Iterator[SweepPoint]:
        """The points, those of equal explorations one after the other, as they are finished."""
        order = self.plan.order
        self._given = frozenset(numbers)
        self._chains = Chains.made(order, self._given)
        sharing = self._chains.order
        last = {k: place for place, number in enumerate(sharing) for k in order[number]}
        n_workers = workers_of(self.pool, len(sharing))
        start, most = 0, 1
        while start < len(sharing):
            end = self._end(sharing, start, _CHAINS_AT_ONCE * n_workers, most)
            batch = sharing[start:end]
            self._explore({k for number in batch for k in order[number]})
            begun = time.monotonic()
            yield from self._join([self.plan.points[number] for number in batch])
            # Small points are many at once, as workers are started for each batch.
            seconds = time.monotonic() - begun
            most = min(2 * len(batch), n_workers * _MANY) if seconds < _QUICK else 1
            start = end
            self._forget(lambda k, end=end: last[k] >= end)  # type: ignore[misc]
        # What other explorers and searches start is their own affair: they come last, one after the other.
        yield from self._alone(n for n in numbers if n not in order)

    def _end(self, numbers: Sequence[int], start: int, least: int, most: int) -> int:
        """Where a batch of chains ends that begins at ``start``: ``least`` of them, more up to ``most`` points.

        They are no more than the least if they share little.
        """
        seen: set[int] = set()
        chain, count = -1, 0
        for place in range(start, len(numbers)):
            if (begun := self._chains.of[numbers[place]]) != chain:
                if count >= least and (place - start >= most or len(seen) > _EXPLORATIONS):
                    return place
                chain, count = begun, count + 1
            seen.update(self.plan.order[numbers[place]])
        return len(numbers)

    # ---- explorations

    def _explore(self, numbers: Collection[int]) -> None:
        missing = []
        for k in sorted(numbers - self._found.keys()):
            exploration = self._explorations[k] = self.plan.exploration(k)
            stored = self._load(exploration.stored)
            if stored is not None:
                self._found[k] = stored
            else:
                missing.append((k, exploration))
        missing.sort(key=lambda item: -self.plan.effort(item[0]))
        if not missing:
            return
        self._tell(Step("explore", 0, len(missing)))
        with phase("explore"):
            done, evaluated, rows = 0, 0, 0
            for i, found in self._each(explored, [(exploration.stored,) for _, exploration in missing]):
                k, exploration = missing[i]
                self._found[k] = found
                if self.files is not None:
                    self.files.store(exploration.stored, found)
                done, evaluated, rows = done + 1, evaluated + found.stats.evaluated, rows + len(found.rows)
                note = f"{found.einsum.name}: {found.stats.evaluated:,} evaluated, {len(found.rows):,} Pareto-optimal"
                self._tell(Step("explore", done, len(missing), evaluated=evaluated, rows=rows, note=note))

    def _load(self, stored: Stored) -> EinsumPmappings | None:
        if self.files is None:
            return None
        try:
            return self.files.load(stored)
        except DamagedCacheError as error:
            warnings.warn(CacheWarning(f"{error}; {stored.einsum.name} is explored again"), stacklevel=4)
            return None

    def _forget(self, needed: Callable[[int], bool]) -> None:
        for k in [k for k in self._found if not needed(k)]:
            del self._found[k], self._explorations[k]

    # ---- joins

    def _join(self, points: Sequence[Point]) -> Iterator[SweepPoint]:
        chains = self._chains.split(point for point in points if point.timeless)
        batch = Batch(self.plan, self._explorations, self._found, self._chains, chains)
        with phase("join"):
            more = len(batch) > workers_of(self.pool, len(batch))  # else all others would only wait for it
            if more and not self._joined and getattr(self.pool, "forks", False):  # they then have the joiner's kernels
                self._joined = True
                yield from self._results(batch.first())
            while count := len(batch):
                begun = time.monotonic()
                n_workers = workers_of(self.pool, count)
                tasks, calls = batch.round(max(1, min(self._together, count // (_SHARE * n_workers))))
                for i, answer in self._each(joined, calls):
                    yield from self._results(batch.outcomes(tasks[i], answer))
                each = (time.monotonic() - begun) * n_workers / (count - len(batch))
                self._together = max(1, int(_TASK / max(each, 1e-6)))
            for point in points:
                if not point.timeless and point.number in self._given:  # the others would only be thrown away
                    needed = tuple(self._found[k] for k in batch.numbers(point))
                    join = Join.of(point, self.plan, self._explorations)
                    yield from self._results([(point, join.run(needed, [], self.pool, self.progress))])

    def _results(self, found: Iterable[tuple[Point, Outcome]]) -> Iterator[SweepPoint]:
        """Those that are asked for."""
        for point, outcome in found:
            if point.number in self._given:
                yield self._result(point, outcome)

    def _alone(self, numbers: Iterable[int]) -> Iterator[SweepPoint]:
        made: dict[object, Pmappings] = {}
        for number in numbers:
            point = self.plan.points[number]
            key = _explored_content(point)
            try:
                if key not in made:
                    made = {key: make_pmappings(point.spec, executor=self.pool, n_jobs=1, progress=self.progress)}
                mappings = join_as(
                    point.spec, point.problem, made[key], executor=self.pool, n_jobs=1, progress=self.progress
                )
                outcome: Outcome = Found.of(mappings.nests, mappings.evaluations)
            except FFError as error:
                outcome = Failure.of(error)
            yield self._result(point, outcome)

    def _result(self, point: Point, outcome: Outcome) -> SweepPoint:
        self._done += 1
        self._tell(Step("points", note=f"{self._done} of {self.n_points} done"))
        design = self._design(point)
        if isinstance(outcome, Failure):
            return SweepPoint(
                point.number,
                point.values,
                outcome.status,
                reason=outcome.reason,
                short_reason=outcome.short,
                design=design,
            )
        entries = [MappingEntry(point.problem, nests, point.model.evaluate) for nests in outcome.nests]
        best = best_of(point.problem.options.metrics, outcome.numbers)
        mappings = Mappings(entries)
        return SweepPoint(
            point.number,
            point.values,
            FOUND,
            outcome.numbers,
            best,
            mappings=mappings,
            design=design,
            details=outcome.details,
        )

    def _design(self, point: Point) -> Design:
        """That of a point; options of the mapper, but for its cost model, do not bear on it."""
        prices = "mapper.cost_model"
        bearing = (p for p in point.values if p.startswith(prices) or not p.startswith("mapper."))
        key = repr([(path, point.values[path]) for path in bearing])
        return self._designs.get(key, lambda: Design.of(point.problem, point.areas_of()))

    # ---- workers

    def _each(self, function: Callable[..., T], tasks: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int, T]]:
        """(number of a task, its result) as soon as it is done.

        A single task is done here: an executor may start threads for it, and then never fork again.
        """
        pool = self.pool if len(tasks) > 1 else None
        with closing(as_completed(pool, function, tasks, self._again)) as results:
            yield from results

    def _tell(self, step: Step) -> None:
        self._last = step
        self._again()

    def _again(self) -> None:
        """Whoever watches may want to look at the clock, or end it all."""
        if self.progress is not None and self._last is not None:
            self.progress(self._last)


def explored(stored: Stored) -> EinsumPmappings:
    """One exploration, by whoever has time for it."""
    return explore_einsum(stored.einsum, stored.templates, stored.shape, stored.options)


def _explored_content(point: Point) -> object:
    """What a whole exploration depends on: all of the spec but what only joins look at."""
    spec = point.spec.copy()
    for field, value in (("joiner", ""), ("joiner_options", {}), ("executor", None)):
        setattr(spec.mapper, field, value)
    return point.explorer, spec.hash(), repr(point.problem.options)
