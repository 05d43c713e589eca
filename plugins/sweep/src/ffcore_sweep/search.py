"""The best design of a space, without mapping every point of it: branch and bound, exact.

A set of points is bounded by a problem that is no harder than any of them (`relaxed`). Where its best mapping costs no
less than one that is known, none of the points is looked at. Its mapping is tried on each point as it is: what it costs
there is a design that is known, often the best of the set at once.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from ffcore.plugin import (
    FFError,
    Job,
    JointEvaluation,
    MappingEntry,
    Mappings,
    Nest,
    NoValidMappingError,
    Problem,
    SpecError,
    Step,
    einsum_choices,
    guarantee_of,
    select,
    suggest,
    workers,
)
from ffcore_sweep.axes import Axis, Vary, axes_of
from ffcore_sweep.chosen import Choice, Condition
from ffcore_sweep.columns import OPERATIONS, Design, Detail
from ffcore_sweep.points import Point, Source, points_of
from ffcore_sweep.relaxed import NotComparableError, relaxed
from ffcore_sweep.result import FOUND, SweepPoint

if TYPE_CHECKING:
    from ffcore.plugin import Progress

MINIMISED = ("edp", "energy", "latency", "area", "leak_power")
"""What a search can minimise."""

_METRICS = {"edp": "energy_delay_product", "energy": "energy", "latency": "latency"}
_OF_DESIGN = ("area", "leak_power")
_OF_MAPPING = ("energy", "latency", "edp", "tops", "tops_per_W")
_UPPER = re.compile(r"\s*(?:energy|latency|edp)\s*<=?([^<>=!]+)")
_WORDS = re.compile(r"\b(?:and|or|not|if|else)\b")
_LEAF = 2  # points that are mapped rather than bounded
_TRIED = 200  # points of a set on which a mapping is tried


@attrs.frozen
class Searched:
    """``best``: the design with its best mapping; None where none is valid within the limits.

    ``points``: in all; ``refused``: of them, those that a limit on the design rules out; ``mapped``: those that were
    mapped; ``bounds``: how many sets were bounded. The others were skipped.
    """

    best: SweepPoint | None
    minimised: str
    points: int
    refused: int
    mapped: int
    bounds: int

    @property
    def skipped(self) -> int:
        """Points that could be the best, and were proven not to be without being mapped."""
        return self.points - self.refused - self.mapped


def search(
    spec: Source,
    vary: Vary,
    *,
    minimise: str = "edp",
    subject_to: str | Sequence[str] = (),
    where: str | Sequence[str] = (),
    cache_dir: str | Path | None = None,
    n_jobs: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Searched:
    """The combination of values with the least ``minimise`` within limits: that of a sweep, with fewer searches.

    ``minimise``: ``edp``, ``energy``, ``latency``, ``area`` or ``leak_power``. ``subject_to``: conditions such as
    ``"area <= 40 mm^2"`` on these, ``tops``, ``tops_per_W`` and what is varied. The rest is as for `sweep`. Raises
    SpecError, PluginError, and FFError for a joiner that is not exact.
    """
    axes = axes_of(vary)
    limits = [subject_to] if isinstance(subject_to, str) else list(subject_to)
    return of(spec, axes, minimise, limits, Choice(where)).run(cache_dir, n_jobs, executor, progress)


def of(source: Source, axes: Sequence[Axis], minimise: str, limits: Sequence[str], choice: Choice) -> _Search:
    """A search to run, checked. Raises as `search` does."""
    if minimise not in MINIMISED:
        listed = ", ".join(MINIMISED)
        raise SpecError.one(f"cannot minimise {minimise!r}; there are {listed}", None, suggest(minimise, MINIMISED))
    conditions = [Condition(text, axes, (*_OF_DESIGN, *_OF_MAPPING)) for text in limits]
    points: Sequence[Point] = points_of(source, axes, choice)
    of_mapping = any(condition.names & {*_OF_MAPPING} for condition in conditions)
    metrics = "energy,latency" if of_mapping or minimise not in _METRICS else _METRICS[minimise]
    points = [_with_metrics(point, metrics) for point in points]
    for point in points:
        guarantee = guarantee_of(point.joiner, point.problem)
        if guarantee is None or guarantee.factor != 1 or guarantee.free:
            raise FFError(
                f"a search for the best design takes an exact joiner, and {point.spec.mapper.joiner!r} is none"
            )
    designs = [Design.of(point.problem, point.areas_of()) for point in points]
    return _Search(points, designs, axes, minimise, conditions)


def _with_metrics(point: Point, metrics: str) -> Point:
    spec = point.spec
    spec.mapper.ffm.metrics = metrics  # type: ignore[assignment]
    options = attrs.evolve(point.problem.options, metrics=spec.mapper.ffm.metrics)
    return attrs.evolve(point, problem=attrs.evolve(point.problem, options=options), spec_of=lambda: spec)


@attrs.frozen
class _Candidate:
    """A mapping of a point, and its numbers."""

    place: int
    nests: tuple[Nest, ...]
    evaluation: JointEvaluation
    score: float


@attrs.define(eq=False)
class _Search:
    points: list[Point]
    designs: list[Design]
    axes: Sequence[Axis]
    minimise: str
    limits: list[Condition]
    best: _Candidate | None = None
    mapped: set[int] = attrs.Factory(set)
    bounds: int = 0
    _pool: Executor | None = None
    _cache: Path | None = None
    _progress: Progress | None = None

    def run(
        self,
        cache_dir: str | Path | None = None,
        n_jobs: int | None = None,
        executor: Executor | None = None,
        progress: Progress | None = None,
    ) -> Searched:
        """Search. Raises what exploring and joining raise, but for points of which nothing is valid."""
        self._cache, self._progress = None if cache_dir is None else Path(cache_dir), progress
        left = [place for place in range(len(self.points)) if self._design_allowed(place)]
        with workers(self.points[0].spec, n_jobs, executor) as self._pool:
            self._branch(left)
        refused = len(self.points) - len(left)
        return Searched(self._result(), self.minimise, len(self.points), refused, len(self.mapped), self.bounds)

    # ---- the search

    def _branch(self, places: list[int]) -> None:
        order = count()
        open_sets: list[tuple[float, int, list[int]]] = []
        for part in self._classes(places):
            heapq.heappush(open_sets, (self._bound(part), next(order), part))
        while open_sets:
            bound, _, own = heapq.heappop(open_sets)
            if self._beaten(bound):
                return  # all others are bounded by no less
            if len(own) <= _LEAF:
                for place in own:
                    self._map(place)
                continue
            for part in self._halves(own):
                bounded = max(bound, self._bound(part))
                if not self._beaten(bounded):
                    heapq.heappush(open_sets, (bounded, next(order), part))

    def _classes(self, places: Sequence[int]) -> list[list[int]]:
        """Points that differ only in what can be compared, as far as neighbours along each axis tell."""
        values = [self.points[p].values for p in places]
        groups: dict[object, list[str]] = {}
        for number, axis in enumerate(self.axes):
            groups.setdefault(axis.group or number, []).append(axis.path)
        apart = [path for paths in groups.values() if not self._compares(places, values, paths) for path in paths]
        found: dict[str, list[int]] = {}
        for place, own in zip(places, values, strict=True):
            found.setdefault(repr([own[path] for path in apart]), []).append(place)
        return list(found.values())

    def _compares(self, places: Sequence[int], values: Sequence[Mapping[str, object]], paths: Sequence[str]) -> bool:
        """Can two points be compared that differ in these paths alone? The first such points tell."""
        known: dict[str, int] = {}
        for place, own in zip(places, values, strict=True):
            rest = repr([value for path, value in own.items() if path not in paths])
            other = known.setdefault(rest, place)
            if other != place:
                try:
                    both = relaxed([self.points[other].problem, self.points[place].problem])
                    for einsum in both.einsums:
                        einsum_choices(einsum)  # looks at every component
                except NotComparableError:
                    return False
                return True
        return True

    def _beaten(self, bound: float) -> bool:
        """Can nothing of this bound be better than what is known?"""
        return bound == math.inf or (self.best is not None and bound >= self.best.score)

    def _halves(self, places: Sequence[int]) -> list[list[int]]:
        """Two parts, by the axis of which most values are left."""
        values = {
            axis.path: {repr(value): k for k, value in enumerate(self._in_order_of(axis, places))} for axis in self.axes
        }
        path = max(values, key=lambda p: len(values[p]))
        middle = len(values[path]) // 2
        low: list[int] = []
        high: list[int] = []
        for place in places:
            (low if values[path][repr(self.points[place].values[path])] < middle else high).append(place)
        return [part for part in (low, high) if part]

    def _in_order_of(self, axis: Axis, places: Sequence[int]) -> list[object]:
        """The values that points have of an axis, each once, in order of the points."""
        found = {repr(self.points[p].values[axis.path]): self.points[p].values[axis.path] for p in places}
        return list(found.values())

    def _bound(self, places: Sequence[int]) -> float:
        """No mapping of these points within the limits is better; tries the mapping found on the points.

        Exact: what the relaxed problem finds is no worse in energy and latency than any mapping of a point, so that
        where a point's is within limits that less never breaks, one of them is too.
        """
        of_design = self.minimise in _OF_DESIGN
        known = min(self._of_design(p, self.minimise) for p in places) if of_design else -math.inf
        if len(places) <= _LEAF or (of_design and not any(self._is_upper(limit) for limit in self.limits)):
            return known
        try:
            problem = relaxed([self.points[p].problem for p in places])
            found = self._mappings(problem, self.points[places[0]])
        except NotComparableError:
            return known
        self.bounds += 1
        self._tell()
        left = [(nests, e) for nests, e in found if self._may_be_within(places, e)]
        if not left:
            return math.inf
        nests, evaluation = min(left, key=lambda item: self._score(item[1]))
        for place in places[:: max(1, len(places) // _TRIED)]:
            self._try(place, nests)
        return known if of_design else self._score(evaluation)

    def _may_be_within(self, places: Sequence[int], evaluation: JointEvaluation) -> bool:
        """Could a mapping of these numbers keep the limits that less never breaks, on some of the points?"""
        limits = [limit for limit in self.limits if self._is_upper(limit)]
        return not limits or any(self._keeps(place, evaluation, limits) for place in places)

    @staticmethod
    def _is_upper(limit: Condition) -> bool:
        """Does it say that energy or latency is not too large, and no more?"""
        found = _UPPER.fullmatch(limit.text)
        return found is not None and not _WORDS.search(found[1]) and len(limit.names & {*_OF_MAPPING}) == 1

    def _map(self, place: int) -> None:
        """The best mapping of a point within the limits."""
        if place in self.mapped:
            return
        self.mapped.add(place)
        point = self.points[place]
        for nests, evaluation in self._mappings(point.problem, point):
            self._note(place, nests, evaluation)
        self._tell()

    def _try(self, place: int, nests: tuple[Nest, ...]) -> None:
        """A mapping that was found for another problem, on a point."""
        point = self.points[place]
        try:
            evaluation = point.model.evaluate(point.problem, nests)
        except FFError:  # it breaks a rule there
            return
        if evaluation.fits:
            self._note(place, nests, evaluation)

    def _note(self, place: int, nests: tuple[Nest, ...], evaluation: JointEvaluation) -> None:
        score = self._of_design(place, self.minimise) if self.minimise in _OF_DESIGN else self._score(evaluation)
        known = (math.inf, 0) if self.best is None else (self.best.score, self.best.place)
        if (score, place) < known and self._allowed(place, evaluation):
            self.best = _Candidate(place, nests, evaluation, score)

    # ---- numbers and limits

    def _score(self, evaluation: JointEvaluation) -> float:
        energy, latency = evaluation.total_energy, evaluation.total_latency
        return {"energy": energy, "latency": latency}.get(self.minimise, energy * latency)

    def _of_design(self, place: int, name: str) -> float:
        value: float | None = getattr(self.designs[place], name)
        if value is None:
            raise SpecError.one(f"{name} of the design is not known: some component does not say its {name}")
        return value

    def _design_names(self, place: int, limit: Condition) -> dict[str, float]:
        return {name: self._of_design(place, name) for name in _OF_DESIGN if name in limit.names}

    def _design_allowed(self, place: int) -> bool:
        """Do the limits hold that do not speak of the mapping?"""
        values = self.points[place].values
        own = [limit for limit in self.limits if not limit.names & {*_OF_MAPPING}]
        return all(limit.holds(values, self._design_names(place, limit)) for limit in own)

    def _allowed(self, place: int, evaluation: JointEvaluation) -> bool:
        return self._keeps(place, evaluation, self.limits)

    def _keeps(self, place: int, evaluation: JointEvaluation, limits: Sequence[Condition]) -> bool:
        energy, latency = evaluation.total_energy, evaluation.total_latency
        operations = OPERATIONS * self.designs[place].computes
        numbers = {"energy": energy, "latency": latency, "edp": energy * latency}
        numbers["tops"] = operations / latency / 1e12 if latency else math.inf
        numbers["tops_per_W"] = operations / energy / 1e12 if energy else math.inf
        values = self.points[place].values
        return all(limit.holds(values, {**numbers, **self._design_names(place, limit)}) for limit in limits)

    # ---- work

    def _mappings(self, problem: Problem, point: Point) -> list[tuple[tuple[Nest, ...], JointEvaluation]]:
        """What a run of its own finds; nothing where nothing is valid."""
        explorer = Job.of(point.spec).explorer
        keeps: Mapping[str, Any] = {} if self._cache is None else {"cache_dir": self._cache}
        try:
            found = explorer.explore(problem, executor=self._pool, progress=self._again, **keeps)
            if found.without:
                return []
            joined = point.joiner.join(problem, found, executor=self._pool, progress=self._again)
        except NoValidMappingError:
            return []
        kept = select(problem, joined) if joined else []
        return [(mapping.nests, point.model.evaluate(problem, mapping.nests)) for mapping in kept]

    def _again(self, _: object) -> None:
        self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            note = f"{len(self.mapped):,} of {len(self.points):,} mapped, {self.bounds:,} sets bounded"
            best = None if self.best is None else self.best.score
            self._progress(Step("search", note=note, best=best))

    def _result(self) -> SweepPoint | None:
        if self.best is None:
            return None
        point, evaluation = self.points[self.best.place], self.best.evaluation
        entry = MappingEntry(point.problem, self.best.nests, point.model.evaluate)
        return SweepPoint(
            point.number,
            point.values,
            FOUND,
            ((evaluation.total_energy, evaluation.total_latency),),
            mappings=Mappings([entry]),
            design=self.designs[self.best.place],
            details=(Detail.of(evaluation),),
        )
