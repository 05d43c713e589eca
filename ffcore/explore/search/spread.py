"""Spatial loops as steps of the dynamic programme: dimension by dimension, rank variable by rank variable.

Where the loops across a dimension can run in few ways, all of them are one step (`at_once`). Else, within
a dimension, labels are in *classes*: what the trips chosen so far come to, as far as the rest of the
dimension's rules (fanout, ``loop_bounds``, limits on loops, ``min_usage``) can depend on it. Once its last variable has
been passed, only labels of classes that the rules allow are left, in one class.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import partial

import attrs
import numpy as np

from ffcore.explore.search.bookings import Column, Columns, LoopName, slack_of
from ffcore.explore.search.field import Field
from ffcore.explore.search.judging import Around, Guard
from ffcore.explore.search.kernels import Moves, gather
from ffcore.explore.search.lattice import Lattice, Steps
from ffcore.explore.search.lists import Lists
from ffcore.explore.search.outline import Dimension
from ffcore.model.network import factor, is_plain
from ffcore.numbers import divisors
from ffcore.pmappings.arrays import Floats, Ints
from ffcore.spec.problem import LoopBound, MapperOptions, SpatialDimension
from ffcore.threads import Threads

_WAYS = 256  # in which loops across a dimension run, up to which they are one step
_TABLE = 4_000_000  # ways times states up to which it is looked up where they lead

_Class = tuple[int, ...]  # product of all trips, loops that run more than once, product for each bound on several


Thinner = Callable[[Lists, Floats, Around, Floats], tuple[Lists, Floats, Ints]]
"""Labels and which of them are left, of labels, what is around and shares as in `Moves`."""


@attrs.frozen
class Rules:
    """What one dimension allows."""

    dimension: SpatialDimension
    own: Dimension
    options: MapperOptions

    def allowed(self, variable: str, trips: int) -> bool:
        """May the loop over one variable run so often? (Whatever the others do.)"""
        if self.own.fixed is not None and trips != self.own.fixed[self.own.variables.index(variable)]:
            return False
        bounds = [b for b in self.dimension.loop_bounds if variable in b.variables and not b.of_product]
        return trips <= self.most and all(b.allows((trips,)) for b in bounds)

    @property
    def most(self) -> float:
        """The most that the product of trips may come to."""
        return self.dimension.most

    @property
    def start(self) -> _Class:
        return (1, 0, *(1 for _ in self._products))

    @property
    def _products(self) -> list[LoopBound]:
        return [b for b in self.dimension.loop_bounds if b.of_product]

    def after(self, before: _Class, variable: str, trips: int) -> _Class:
        """The class after a loop of so many trips."""
        limited = self.options.max_loops_per_spatial_dimension < math.inf
        return (
            before[0] * trips,
            before[1] + int(limited and trips > 1),
            *(n * trips if variable in b.variables else n for n, b in zip(before[2:], self._products, strict=True)),
        )

    def may_go_on(self, reached: _Class) -> bool:
        return reached[0] <= self.most and reached[1] <= self.options.max_loops_per_spatial_dimension

    def accepts(self, reached: _Class) -> bool:
        """Do all the trips together obey the rules?"""
        d = self.dimension
        return (
            self.may_go_on(reached)
            and all(b.allows((n,)) for n, b in zip(reached[2:], self._products, strict=True))
            and (self.own.usage is None or d.rank(reached[0]) == self.own.usage)
        )


@attrs.frozen(eq=False)
class _Pass:
    """The moves of one loop, or of all loops across a dimension at once, whatever the columns: (class from, kind, class
    to)."""

    loops: tuple[LoopName, ...]  # across one dimension
    trips: tuple[tuple[int, ...], ...]  # of each kind of move, those of each loop
    tiles: (
        tuple[int, ...] | None
    )  # of each kind, where the loop leads from imperfect tiles to the bound; None: it does not
    moves: tuple[tuple[int, int, int], ...]
    classes: int  # that labels come out in
    used: tuple[float, ...]  # of each, the least that the loops to come across the dimension divide by

    @property
    def passed(self) -> list[LoopName]:
        """The loops, and the slack that ends with one."""
        return [*self.loops] if self.tiles is None else [*self.loops, slack_of(self.loops[0][2])]

    @property
    def dimension(self) -> tuple[int, int]:
        return self.loops[0][:2]

    def along(self, lattice: Lattice) -> Steps:
        """How the moves go along the lattice."""
        variables = [v for _, _, v in self.loops]
        if self.tiles is None:
            return lattice.steps(variables, self.trips)
        return lattice.steps_to_bound(lattice.variables.index(variables[0]), self.tiles)

    def changes_nothing(self, columns: Columns, now: Iterable[Column]) -> bool:
        """Is there one kind of move only, by loops that run once and then do nothing?"""
        if self.tiles is not None or self.moves != ((0, 0, 0),) or {*self.trips[0]} != {1}:
            return False
        return all(is_plain(columns.power_of(c, loop)) for c in now for loop in self.loops)


def passes(
    rules: Rules,
    bounds: Mapping[str, int],
    pulse: Callable[[int], None],
    lattice: Lattice | None = None,
    ends: Container[str] = (),
) -> list[_Pass] | None:
    """The loops of a dimension, one after the other; None if its rules allow nothing.

    ``lattice``: that of the tile sizes, if some may be imperfect. ``ends``: variables whose loop here leads from
    imperfect tiles to the bound. ``pulse``: asked now and then whether there is time and memory for more, as loops of
    many trips come to many classes.
    """
    layers: list[list[_Class]] = [[rules.start]]
    steps: list[list[tuple[int, _Kind, _Class]]] = []  # (class from, kind of move, class to)

    def ways(v: str) -> tuple[bool, int]:
        return lattice is not None and v in lattice.tiles, len(divisors(bounds[v]))

    variables = sorted(rules.own.variables, key=ways)
    for v in variables:  # those that run in the most ways last: few labels are left then
        kinds = [k for k in _kinds(v, bounds, lattice, v in ends) if rules.allowed(v, k[0])]
        found = []
        for q, before in enumerate(layers[-1]):
            pulse(0)
            ways_on = ((kind, rules.after(before, v, kind[0])) for kind in kinds)
            found += [(q, kind, after) for kind, after in ways_on if rules.may_go_on(after)]
        layers.append(sorted({after for _, _, after in found}))
        steps.append(found)
    if not steps:
        return []
    accepted = {c: 0 for c in layers[-1] if rules.accepts(c)}
    reach = {c: c[0] for c in accepted}  # the most instances in use that a class may come to
    result: list[_Pass] = []
    for k in reversed(range(len(steps))):  # classes that lead nowhere are left out
        pulse(0)
        useful = sorted({q for q, _, after in steps[k] if after in accepted})
        number = {q: i for i, q in enumerate(useful)}
        kinds = sorted({kind for _, kind, after in steps[k] if after in accepted})
        place = {kind: i for i, kind in enumerate(kinds)}
        moves = tuple((number[q], place[kind], accepted[after]) for q, kind, after in steps[k] if after in accepted)
        classes = max(accepted.values(), default=-1) + 1
        used = tuple(c[0] / reach[c] for c in sorted(accepted, key=accepted.__getitem__))
        variable = variables[k]
        tiles = tuple(t for _, t in kinds) if variable in ends else None
        trips = tuple((n,) for n, _ in kinds)
        result.append(_Pass((rules.own.name(variable),), trips, tiles, moves, classes, used[:classes]))
        most: dict[_Class, int] = {}
        for q, _, after in steps[k]:
            if after in accepted:
                most[layers[k][q]] = max(reach[after], most.get(layers[k][q], 0))
        accepted, reach = {layers[k][q]: i for q, i in number.items()}, most
    return result[::-1] if accepted else None


def at_once(ways: Sequence[_Pass], most: int) -> _Pass | None:
    """All loops across a dimension in one step; None where they can run in more than so many ways.

    Labels of all ways then compare with nothing pending across the dimension, and none stand in between.
    """
    if len(ways) < 2 or any(step.tiles is not None for step in ways):
        return None
    reached: dict[int, list[tuple[int, ...]]] = {0: [()]}
    for step in ways:
        further: dict[int, list[tuple[int, ...]]] = {}
        for q, kind, to in step.moves:
            further.setdefault(to, []).extend((*before, *step.trips[kind]) for before in reached.get(q, ()))
        if sum(map(len, further.values())) > most:
            return None
        reached = further
    trips = tuple(sorted(reached[0]))
    moves = tuple((0, kind, 0) for kind in range(len(trips)))
    return _Pass(tuple(loop for step in ways for loop in step.loops), trips, None, moves, 1, (1.0,))


_Kind = tuple[int, int]  # trips of a loop, and the tile that it leads from to the bound (0: whatever is a divisor)


def _kinds(variable: str, bounds: Mapping[str, int], lattice: Lattice | None, to_bound: bool) -> list[_Kind]:
    """How a loop over a variable may run."""
    bound = bounds[variable]
    if lattice is None or variable not in lattice.tiles:
        return [(n, 0) for n in divisors(bound)]
    if to_bound:
        return [(-(-bound // t), t) for t in lattice.tiles[variable]]
    values = lattice.values[lattice.variables.index(variable)]  # a quotient of two of them is one of them
    return [(n, 0) for n in values]


@attrs.frozen(eq=False)
class Spread:
    """The spatial loops at the end of one block: all ways in which they can run."""

    passes: tuple[_Pass, ...]  # innermost first
    most: tuple[tuple[int, int, float], ...]  # of each dimension (component index, number), the most instances in use

    @classmethod
    def of(
        cls,
        dimensions: Sequence[Dimension],
        columns: Columns,
        options: MapperOptions,
        lattice: Lattice,
        imperfect: frozenset[str],
        pulse: Callable[[int], None],
    ) -> Spread | None:
        """None if nothing is allowed. ``dimensions``: outermost first. ``pulse``: see `passes`.

        ``imperfect``: variables of whose loops here the outermost one may have an imperfect tile.
        """
        found: list[_Pass] = []
        most: list[tuple[int, int, float]] = []
        for number, own in reversed(list(enumerate(dimensions))):
            dimension = columns.components[own.index].spatial[own.dimension]
            ends = imperfect.difference(*(d.variables for d in dimensions[:number]))
            ways = passes(Rules(dimension, own, options), columns.einsum.bounds, pulse, lattice, ends)
            if ways is None:
                return None
            together = at_once(ways, min(_WAYS, _TABLE // lattice.n))
            found += ways if together is None else [together]
            bound = math.prod(columns.einsum.bounds[v] for v in own.variables)
            limit = Rules(dimension, own, options).most
            most.append((own.index, own.dimension, min(float(bound), limit)))
        return cls(tuple(found), tuple(most))

    @property
    def loops(self) -> list[LoopName]:
        """The loops, and the slacks that end here."""
        return [name for p in self.passes for name in p.passed]

    def columns_after(self, columns: Columns, before: Sequence[Column]) -> tuple[Column, ...]:
        """The columns of labels once all loops have been passed: what was pending may have come to its end."""
        return columns.ordered(columns.passed(c, self.loops) for c in before)

    def apply(
        self,
        field: Field,
        before: tuple[Column, ...],
        labels: tuple[Lists, Floats],
        pulse: Callable[[int], None],
        guard: Guard | None = None,
        share: float = 1.0,
        thinned: Thinner | None = None,
        threads: Threads | None = None,
    ) -> Spreading:
        """The labels (lists, values) outside of the loops.

        ``share``: the least that compute time will be multiplied by outside of these. ``thinned``: for labels that
        need not be exact. ``threads``: see `gather`.
        """
        columns = field.columns
        lists, values = labels
        now, gone = before, list[LoopName]()
        origin = np.arange(len(values))
        codes = _Codes([], [])
        for number, step in enumerate(self.passes):
            gone += step.passed
            last = number == len(self.passes) - 1
            if not last and step.changes_nothing(columns, now):
                continue
            free = share
            for index, d, most in self.most:  # innermost first; what is further in has been passed
                if (index, d) in {p.dimension for p in self.passes[number + 1 :]} and (index, d) != step.dimension:
                    free /= most
            after = columns.ordered(columns.passed(c, gone) for c in now)
            into = np.array([after.index(columns.passed(c, gone)) for c in now])
            moves = self._moves(step, field, now, into, free)
            around = partial(field.around, after, guard=guard, dimension=step.dimension)
            sources = partial(field.around, now, guard=guard) if guard is not None else None
            now, gone = after, []
            found = gather(lists, values, field.lattice.n, moves, around, threads=threads, before=sources)
            lists, values, source, kind = found.lists, found.values, found.source, found.kind
            if thinned is not None:
                lists, values, kept = thinned(lists, values, found.around, moves.shares)
                source, kind = source[kept], kind[kept]
            lists = lists.filled()
            origin = origin[source]
            codes = codes.extended(step, source, kind)
            pulse(len(values))
        return Spreading(lists, values, origin, codes)

    def _moves(self, step: _Pass, field: Field, before: tuple[Column, ...], into: Ints, free: float) -> Moves:
        lattice, columns = field.lattice, field.columns
        scale = np.ones((len(step.trips), 1 + len(before)))
        for loop, trips in zip(step.loops, np.array(step.trips, np.float64).T, strict=True):
            own = [0, *(columns.power_of(c, loop) for c in before)]
            scale *= np.stack([factor(trips, power) for power in own], axis=1)
        if step.tiles is not None:
            v = step.loops[0][2]
            powers = np.array([0, *(columns.power_of(c, slack_of(v)) for c in before)], np.float64)
            scale *= np.array([lattice.slack(v, t) for t in step.tiles])[:, None] ** powers
        left = np.array(step.used)
        shares = np.zeros(step.classes) if columns.einsum.is_copy else free * left
        arrivals, starts = _sorted(((to, q, t) for q, t, to in step.moves), step.classes)
        departures, departure_starts = _sorted(
            ((q, to, t) for q, t, to in step.moves), max(q for q, _, _ in step.moves) + 1
        )
        links = arrivals, starts, departures, departure_starts
        return Moves(*links, step.along(lattice), scale, _behind_key(into), shares, left)


def _behind_key(into: Ints) -> Ints:
    """Numbers of columns counted with the key in front."""
    return np.concatenate([[0], into + 1])


def _sorted(moves: Iterable[tuple[int, int, int]], classes: int) -> tuple[Ints, Ints]:
    """The last two of each triple, sorted by the first, and where each number of the first begins."""
    table = np.array(sorted(moves), np.int64).reshape(-1, 3)
    return np.ascontiguousarray(table[:, 1:]), np.searchsorted(table[:, 0], np.arange(classes + 1)).astype(np.int64)


@attrs.frozen(eq=False)
class _Codes:
    """The trips of each loop for each label, packed into as few integers as they fit."""

    words: list[Ints]
    places: list[tuple[LoopName, tuple[int, ...], int, int]]  # loop, its trips, word, what one step is worth there

    def extended(self, step: _Pass, source: Ints, kind: Ints) -> _Codes:
        """Codes of the labels that come from the given rows by the given kinds of move."""
        words = [word[source] for word in self.words]
        base = self.places[-1][3] * len(self.places[-1][1]) if self.places else 2**62
        if base * len(step.trips) >= 2**62:
            words.append(np.zeros(len(source), np.int64))
            base = 1
        words[-1] = words[-1] + kind * base
        place = len(words) - 1, base
        own = [(loop, tuple(trips[k] for trips in step.trips), *place) for k, loop in enumerate(step.loops)]
        return _Codes(words, [*self.places, *own])


@attrs.frozen(eq=False)
class Spreading:
    """Labels outside of spatial loops, and how each came about."""

    lists: Lists
    values: Floats
    origin: Ints  # the row that it comes from
    codes: _Codes

    def trips(self, rows: Ints) -> dict[LoopName, Ints]:
        """The trips of each loop in some of the labels."""
        return {
            loop: np.asarray(trips, np.int64)[(self.codes.words[word][rows] // base) % len(trips)]
            for loop, trips, word, base in self.codes.places
        }
