"""The default explorer: all Pareto-optimal pmappings of every Einsum."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing
from pathlib import Path

import attrs
import numpy as np

from ffcore.errors import FFError, NoValidMappingError
from ffcore.explore.fits import kept_throughout, may_fit
from ffcore.explore.limits import Limits
from ffcore.explore.progress import EinsumProgress, Tally
from ffcore.explore.reuse.equal import EinsumClasses
from ffcore.explore.search.judging import Enough, Least
from ffcore.explore.search.solve import Scope, explore_within
from ffcore.explore.shapes import row_shapes
from ffcore.explore.together import LABELS, Joined, enough, least_of
from ffcore.plugin import Progress, Step
from ffcore.plugin.executors import as_completed, threads_of, workers_of
from ffcore.pmappings.arrays import Ints
from ffcore.pmappings.loops import loop_sizes
from ffcore.pmappings.rows import Rows, RowShape, SpatialChoice, TemplateChoice
from ffcore.pmappings.set import EinsumPmappings, PmappingSet, PmappingStats
from ffcore.spec.problem import INFINITY, MOST_SIZES, MOST_STATES, EinsumProblem, MapperOptions, Problem
from ffcore.templates import Template
from ffcore.tolerances import FITS
from ffcore.units import exact_size


def explore(
    problem: Problem,
    *,
    executor: Executor | None = None,
    progress: Progress | None = None,
    cache_dir: Path | None = None,
    einsum_names: Sequence[str] | None = None,
    known: Mapping[str, EinsumPmappings] | None = None,
    found: Callable[[EinsumPmappings], None] | None = None,
    limits: Limits | None = None,
    stop_at_nothing: bool = False,
    whole: bool = False,
    joined: Joined | None = None,
) -> tuple[EinsumPmappings, ...]:
    """Pareto-optimal pmappings of each Einsum, per compatibility, in workload order.

    ``known``: those of other Einsums, which serve their equals. ``found`` is given those of each Einsum as soon as they
    are there, by the calling thread. ``limits``: of time and memory, where the options' are not meant; when time is up
    pmappings are what was found by then. ``stop_at_nothing``: raise `NothingFound` at once for an Einsum without any
    (before anything is explored if it is plain that no tile fits). ``whole``: pmappings of all Einsums are wanted, to
    be joined; what cannot be is refused at once too. ``joined``: what pmappings come to when they are joined; then
    those are left out that can be in no mapping worth having (see ``ffcore.explore.together``).

    Raises ``FFError`` for what only another explorer offers, ``TimeLimitError`` for an Einsum that has nothing
    when time is up, ``MemoryLimitError`` when memory runs out.
    """
    _check_imperfect(problem)
    known = known or {}
    names = [e.name for e in problem.einsums if einsum_names is None or e.name in einsum_names]
    if progress is not None:
        progress(Step("explore", len(known), len(known) + len(names), note="making templates"))
    limits = limits or Limits.of(problem.options)
    plan = _Plan.of(problem, names, known, limits.check_time)
    plan.check_spread()
    unfit = plan.unfit()
    if unfit and stop_at_nothing:
        raise NothingFound([*plan.names(unfit), *plan.names(plan.left())])
    if whole and not problem.options.combine_runs:  # another run may keep tensors elsewhere
        plan.check_persistent()
    new = plan.left()
    limits = limits.of_workers(workers_of(executor, len(new)))
    if limits.soft < float("inf"):
        new.sort(key=lambda i: len(plan.templates[i]))  # the time that the quick ones leave over is for the others
    tally = Tally([len(plan.templates[i]) for i in new], None, limits, [problem.einsums[i].name for i in new])
    work = _Work(progress, len(known), len(names), tally)
    run = _Run(plan, new, executor, tally, work, found, stop_at_nothing)
    with work:
        for i in [i for i in plan.same if i in plan.done]:
            run.serve(i, plan.done[i])
        together = joined is not None and len(names) > 1 and limits.soft == float("inf")
        run.explore(joined if together else None)
    return tuple(plan.done[i] for i in plan.wanted)


@attrs.frozen(eq=False)
class _Run:
    """The exploration of what a plan has left, by whoever has time for it. Einsums by their places in ``new``."""

    plan: _Plan
    new: Sequence[int]  # places in the workload
    executor: Executor | None
    tally: Tally
    work: _Work
    found: Callable[[EinsumPmappings], None] | None
    stop_at_nothing: bool

    def explore(self, joined: Joined | None) -> None:
        """Explore all; with ``joined``, those with very many labels only once it is known what they must beat."""
        looks = self._explore(range(len(self.new)), lambda _: Scope(INFINITY if joined is None else LABELS))
        if joined is not None and looks:
            seen = {self.new[n]: look for n, look in looks.items()}
            beat = self.plan.enough(seen, joined)
            evaluated = {n: look.stats.evaluated for n, (look, _) in looks.items()}
            self._explore(list(looks), lambda n: Scope(enough=beat.get(self.new[n]), evaluated=evaluated[n]))

    def serve(self, i: int, pmappings: EinsumPmappings) -> None:
        """The pmappings of the Einsum at place ``i`` of the workload are there, and with them those of its equals."""
        for own in self.plan.served(i, pmappings):
            if self.found is not None:
                self.found(own)
            self.work.add(own)

    def _explore(
        self, numbers: Sequence[int], scope: Callable[[int], Scope]
    ) -> dict[int, tuple[EinsumPmappings, Least]]:
        """Explore some: what was looked at only, and the least that any pmapping comes to.

        Where there are fewer Einsums than workers, each of them is explored by several threads.
        """
        plan, new = self.plan, self.new
        threads, looks = threads_of(self.executor, len(numbers)), {}
        calls = [(*plan.call(new[n]), self.tally.slot(n), threads, scope(n)) for n in numbers]
        with closing(as_completed(self.executor, _explored, calls, self.work.tell)) as found_now:
            for place, solved in found_now:
                n = numbers[place]
                pmappings = plan.pmappings(new[n], solved)
                if solved.least is not None:
                    looks[n] = pmappings, solved.least
                    continue
                self.tally.finish(n, solved.stats.evaluated)
                self.serve(new[n], pmappings)
                if self.stop_at_nothing and not len(solved.rows):
                    raise NothingFound([*plan.names([new[n]]), *plan.names(plan.left())])
        return looks


class NothingFound(Exception):
    """An Einsum has no pmapping: its name, and one of each kind that is yet to be explored."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(*names)
        self.names = tuple(names)


@attrs.define
class _Plan:
    """Which Einsums are explored, and which are served by an equal one. Einsums by their places in the workload."""

    problem: Problem
    wanted: list[int]
    templates: dict[int, tuple[Template, ...]]
    shapes: list[RowShape]
    done: dict[int, EinsumPmappings]  # the pmappings that are known
    same: dict[int, list[int]]  # for each to be explored, all that are equal to it

    @classmethod
    def of(
        cls, problem: Problem, names: Sequence[str], known: Mapping[str, EinsumPmappings], pulse: Callable[[], None]
    ) -> _Plan:
        """A plan for the Einsums named, which makes their templates; raises what ``pulse`` raises."""
        wanted = [i for i, e in enumerate(problem.einsums) if e.name in names]
        kinds = EinsumClasses.of(problem, pulse)
        templates = {i: kinds.templates_of(kinds.members[i]) for i in wanted}
        # Equal Einsums are explored once. Of the known ones only a first of its kind tells how much it took.
        done = {i: known[e.name] for i, e in enumerate(problem.einsums) if e.name in known}
        first: dict[int, int] = {}
        for i in [*(i for i, pmappings in done.items() if pmappings.stats.evaluated), *wanted]:
            first.setdefault(kinds.members[i].kind, i)
        same: dict[int, list[int]] = {}
        for i in wanted:
            same.setdefault(first[kinds.members[i].kind], []).append(i)
        return cls(problem, wanted, templates, row_shapes(problem, kinds), done, same)

    def check_spread(self) -> None:
        """Raise FFError for memories whose instances divide an Array: where a loop across it falls in two depends on
        the tensor, which labels do not tell apart."""
        found = {c.name for own in self.templates.values() for t in own for c in t.components if c.spread}
        if found:
            names = ", ".join(sorted(found))
            raise FFError(
                f"the explorer 'default' does not offer memories that are spread over an !Array ({names}): evaluate a "
                "mapping (ff evaluate), search small problems with --explorer exhaustive --joiner exhaustive, or leave "
                "out their spatial dimensions"
            )

    def unfit(self) -> list[int]:
        """Those of which it is plain that nothing fits; they are done, without any pmappings."""
        found = [i for i in self.same if i not in self.done and self.templates[i] and not may_fit(self.templates[i])]
        for i in found:
            rows, offsets = Rows.empty(self.shapes[i]), np.zeros(1, np.int64)
            stats = PmappingStats(0, 0)
            einsum, templates = self.problem.einsums[i], self.templates[i]
            self.done[i] = EinsumPmappings(einsum, templates, (), self.shapes[i], rows, offsets, stats)
        return found

    def check_persistent(self) -> None:
        """Raise NoValidMappingError where the persistent tensors of all Einsums together surely fit nowhere."""
        kept: dict[str, float] = {}
        size: dict[str, float] = {}
        for own in self.templates.values():
            for memory, bits in kept_throughout(own).items():
                kept[memory] = kept.get(memory, 0.0) + bits
                sizes = [c.size for template in own for c in template.components if c.name == memory]
                size[memory] = max(size.get(memory, 0.0), *sizes)
        for memory, bits in kept.items():
            if bits > size[memory] * FITS:
                raise NoValidMappingError(
                    f"{memory} is too small: it has {exact_size(size[memory])}, and the persistent tensors that "
                    f"Einsums must keep there take at least {exact_size(bits)} together",
                    memory=memory,
                    needed_bits=bits,
                )

    def left(self) -> list[int]:
        """Those that are to be explored."""
        return [i for i in self.same if i not in self.done]

    def names(self, places: Sequence[int]) -> list[str]:
        """What Einsums are called."""
        return [self.problem.einsums[i].name for i in places]

    def call(self, i: int) -> tuple[EinsumProblem, tuple[Template, ...], RowShape, MapperOptions]:
        """What the exploration of an Einsum takes."""
        return self.problem.einsums[i], self.templates[i], self.shapes[i], self.problem.options

    def pmappings(self, i: int, explored: _Explored) -> EinsumPmappings:
        """What was found of an Einsum, as pmappings of our own templates."""
        templates = self.templates[i]
        jobs = tuple(TemplateChoice(templates[number], choice) for number, choice in explored.jobs)
        found = explored.rows, explored.offsets, explored.stats
        return EinsumPmappings(self.problem.einsums[i], templates, jobs, self.shapes[i], *found)

    def served(self, i: int, solved: EinsumPmappings) -> Iterator[EinsumPmappings]:
        """The pmappings of an Einsum and of all that are equal to it, which are done."""
        for k, own in self._equal(i, solved):
            self.done[k] = own
            yield own

    def _equal(self, i: int, solved: EinsumPmappings) -> Iterator[tuple[int, EinsumPmappings]]:
        for k in self.same[i]:
            own = self.problem.einsums[k], self.templates[k], self.shapes[k]
            yield k, solved if k == i else _renamed(solved, *own)

    def enough(self, looks: Mapping[int, tuple[EinsumPmappings, Least]], joined: Joined) -> dict[int, Enough]:
        """What pmappings of each Einsum that was only looked at must not be worse than; the others are done."""
        some, least = dict(self.done), {k: least_of(found) for k, found in self.done.items()}
        for i, (found, own) in looks.items():
            for k, renamed in self._equal(i, found):
                some[k], least[k] = renamed, own
        known = joined(PmappingSet(self.problem, tuple(some[k] for k in self.wanted)))
        shared = {k: self.shapes[k].shared for k in least}
        return enough(known, least, shared, {i: self.same[i] for i in looks})


@attrs.frozen(eq=False)
class _Explored:
    """What whoever explored an Einsum sends: not the Einsum and its templates, which are large and known here."""

    jobs: tuple[tuple[int, SpatialChoice], ...]  # of each its template's number
    rows: Rows
    offsets: Ints
    stats: PmappingStats
    least: Least | None = None  # where some pmappings were looked at alone


def _explored(
    einsum: EinsumProblem,
    templates: Sequence[Template],
    shape: RowShape,
    options: MapperOptions,
    slot: EinsumProgress,
    threads: int,
    scope: Scope,
) -> _Explored:
    """One Einsum, by whoever has time for it."""
    slot.begin()
    try:
        found, least = explore_within(einsum, templates, shape, options, slot, threads, scope)
        number = {id(template): k for k, template in enumerate(templates)}
        jobs = tuple((number[id(job.template)], job.choice) for job in found.jobs)
        return _Explored(jobs, found.rows, found.offsets, found.stats, least)
    except MemoryError:
        pass
    raise slot.out_of_memory()  # outside of the handler: what it held may go


class _Work:
    """Tells how far the exploration is."""

    def __init__(self, progress: Progress | None, known: int, wanted: int, tally: Tally) -> None:
        self.tally = tally
        tally.report = self.tell
        self._progress = progress
        self._done, self._total = known, known + wanted
        self._rows = 0
        self._note = "loading compiled code"

    def __enter__(self) -> None:
        self.tell()

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None:
            self.tally.stop()

    def add(self, pmappings: EinsumPmappings) -> None:
        """The pmappings of one more Einsum are there."""
        self._done += 1
        self._rows += len(pmappings.rows)
        evaluated, rows = pmappings.stats.evaluated, len(pmappings.rows)
        self._note = f"{pmappings.einsum.name}: {evaluated:,} evaluated, {rows:,} Pareto-optimal"
        self.tell()

    def tell(self) -> None:
        if self._progress is not None:
            tally = self.tally
            counts = tally.templates, sum(tally.all_templates), tally.evaluated, self._rows
            self._progress(Step("explore", self._done, self._total, *counts, note=self._note, share=tally.share))


def _check_imperfect(problem: Problem) -> None:
    """Refuse what is only explored by perfect factors."""
    for einsum in problem.einsums:
        if einsum.imperfect and einsum.law is not None:
            raise FFError(
                f"Einsum {einsum.name}: the explorer 'default' does not offer imperfect factors under a law of a "
                "plugin: leave mapper.ffm.explore_imperfect_temporal_loops and explore_imperfect_spatial_loops at False"
            )
        sizes = math.prod(len(loop_sizes(einsum, v)) for v in einsum.bounds)
        if any(einsum.bounds[v] >= MOST_SIZES for v in einsum.imperfect) or sizes >= MOST_STATES:
            names = ", ".join(sorted(einsum.imperfect))
            raise FFError(
                f"Einsum {einsum.name}: its bounds are too large for imperfect factors of {names}: name fewer rank "
                "variables in mapper.ffm.explore_imperfect_temporal_loops and explore_imperfect_spatial_loops"
            )


def _renamed(
    solved: EinsumPmappings, einsum: EinsumProblem, templates: Sequence[Template], shape: RowShape
) -> EinsumPmappings:
    """The pmappings of an equal Einsum: the same rows, jobs in its own names; nothing was evaluated."""
    numbers = {id(t): i for i, t in enumerate(solved.templates)}
    jobs = []
    for job in solved.jobs:
        own = templates[numbers[id(job.template)]]
        loops = tuple(own.spatial[job.template.spatial.index(loop)] for loop in job.choice.loops)
        jobs.append(TemplateChoice(own, SpatialChoice(loops, job.choice.trips)))
    stats = attrs.evolve(solved.stats, evaluated=0)
    return EinsumPmappings(einsum, tuple(templates), tuple(jobs), shape, solved.rows, solved.offsets, stats)
