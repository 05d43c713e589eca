"""What labels have to beat: good mappings found by a quick search, and the least that is still to come.

Where all rows compete with each other in energy and latency alone (no fused loops, no memory that the join looks at),
mappings of the Einsum are what is to be beaten (`guard`). Else whole mappings are (`guard_all`; see
``ffcore.explore.together``), or what other rows come to where the least of all is asked for (`look`). A label is
dropped when some known mapping is better than the least that it can become:

* its energy and latencies so far, pending columns multiplied by as little as loops to come can multiply them by,
* and the least that cuts further out add, whatever tile sizes are chosen there: a search from the outermost cut
  inwards, column by column, that forgets all but what single tiles take of memories.

The mappings of an Einsum that are known come from a beam search over all templates: at each step only the labels are
kept that look best. Where rank variables have imperfect factors, they are the best ones with perfect factors and then
with a few other tiles, which take a small part of the time (`coarser`).
Exact: a mapping that betters, or equals, every known one is never dropped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Protocol, Self, TypeVar

import attrs
import numpy as np

from ffcore.explore.search.bookings import Columns
from ffcore.explore.search.boxes import Boxes
from ffcore.explore.search.costs import Costs
from ffcore.explore.search.field import MANY
from ffcore.explore.search.judging import Around, Backing, Enough, Guard, to_beat
from ffcore.explore.search.kernels import least_sums, promises
from ffcore.explore.search.labels import Labeller, Node
from ffcore.explore.search.lists import Lists
from ffcore.explore.search.outline import Cut, Outline
from ffcore.explore.search.spread import Thinner
from ffcore.numbers import closed_under_divisors, divisors, prime_factors
from ffcore.objectives import Objectives
from ffcore.pmappings.arrays import Floats, Ints
from ffcore.spec.problem import INFINITY

WORTH = 100_000  # nodes times states from which on the beam search pays
_FEW = 5_000  # states of which all tiles can be searched at once
_COARSER = 3  # times fewer states make a search with fewer tiles worth it
_WINDOW = 1.2  # times the least energy of any pmapping: how far beyond it that of each backing is looked for
_BEAM = 30  # labels kept at each step for each of the three ways to look good


class Maker(Protocol):
    """What makes the rows of templates that are the same down to the fused cut; see ``rows.RowMaker``."""

    @property
    def labeller(self) -> Labeller:
        """What makes the labels that rows are made of."""

    def of(self, labeller: Labeller) -> Self:
        """The same with other labels."""

    @property
    def backing(self) -> Backing:
        """The memories that back shared tensors."""

    def root(self, boxes: Boxes, extra: float = 0.0) -> Root:
        """Its node, and what rows come to further out, with so much energy more."""


_NO_POINTS = np.zeros((0, 2))
M = TypeVar("M", bound=Maker)


def coarser(columns: Columns) -> list[Mapping[str, tuple[int, ...]]]:
    """Fewer tiles of variables with imperfect factors, whose best mappings are found soon: none, then a few.

    The few are those that whole fanouts make, and of each length in bits the one with the least slack.
    """
    bounds = columns.einsum.bounds
    states = math.prod(
        len(closed_under_divisors(columns.tiles[v]) if v in columns.tiles else divisors(n)) for v, n in bounds.items()
    )
    if not columns.tiles or states <= _FEW:
        return []
    few = {}
    for v, tiles in columns.tiles.items():
        bound = columns.einsum.bounds[v]
        kept = {t for t in tiles if bound % t == 0}
        fanouts = {d.fanout for c in columns.components for d in c.spatial}
        kept |= {t for n in fanouts for t in (n, -(-bound // n)) if t in tiles}
        by_length: dict[int, list[int]] = {}
        for t in tiles:
            by_length.setdefault(t.bit_length(), []).append(t)
        kept |= {min(own, key=lambda t: (-(-bound // t) * t, len(prime_factors(t)))) for own in by_length.values()}
        few[v] = tuple(sorted(kept))
    sizes = [
        math.prod(len(closed_under_divisors(own)) for own in all_tiles.values()) for all_tiles in (few, columns.tiles)
    ]
    return [{}, few] if _COARSER * sizes[0] < sizes[1] else [{}]


def guard(
    labeller: Labeller,
    root: Node,
    outlines: Sequence[Outline],
    found: Callable[[Labeller, Node], Floats],
    known: Callable[[], Floats],
) -> None:
    """Give the nodes of the only group of templates on a path what their labels have to beat.

    ``found``: (energy, latency) of the rows that a node of all the outlines gives. ``known``: those of mappings that
    are known already, asked for where they are worth it; without any, a beam search finds some.
    """
    nodes = list(_outermost_first(root))
    if len(nodes) * labeller.lattice.n < WORTH:
        return
    already = known()
    still = _StillToCome.of(labeller)
    if len(already):
        still.guard([Root(root)], to_beat(front(already)))
        return
    beam = labeller.afresh(_thinner(labeller.lattice.n))
    root_of_beam = beam.node(outlines, outlines[0].fused)
    assert root_of_beam is not None  # as that of the labeller is there
    still.guard([Root(root_of_beam)], to_beat(already))
    still.guard([Root(root)], to_beat(front(found(beam, root_of_beam))))


def guard_all(makers: Sequence[Maker], enough: Enough, still: _StillToCome | None = None) -> None:
    """Give the nodes of all groups of templates on a path what their labels have to beat, for one of the Einsum."""
    still = still or _StillToCome.of(makers[0].labeller)
    still.guard((maker.root(still.boxes, enough.extra.get(maker.backing, 0.0)) for maker in makers), enough.known)


@attrs.define
class Seen:
    """What some pmappings of an Einsum come to, one instance of it: by backing, points of (energy, latency).

    ``most``: the least energy of any that are backed in a way of which none was seen is no less than this.
    """

    points: dict[Backing, Floats] = attrs.Factory(dict)
    most: float = INFINITY

    def add(self, backing: Backing, points: Floats) -> None:
        self.points[backing] = front(np.concatenate([self.points.get(backing, points[:0]), points]))

    def every(self) -> Floats:
        """The points of every backing that none betters."""
        return front(np.concatenate([np.zeros((0, 2)), *self.points.values()]))

    def least(self, backing: Backing) -> tuple[float, float]:
        """No pmapping with this backing has less energy, none at all less latency."""
        own = self.points.get(backing, _NO_POINTS)[:, 0].min(initial=self.most)
        return min(own, self.most), self.every()[:, 1].min(initial=INFINITY)

    def worse(self) -> Enough:
        """What labels must be better than, to have less than `least` says."""
        best = self.every()
        if not len(best):
            return Enough(to_beat(best), {})
        self.most = min(
            self.most, _WINDOW * best[0, 0], max(own[:, 0].min() for own in self.points.values() if len(own))
        )
        corner = np.array([[self.most, best[-1, 1]]])
        return Enough(to_beat(corner), {backing: self.most - self.least(backing)[0] for backing in self.points})


def look(makers: Sequence[M], rows: Callable[[M], Floats], seen: Seen, whole: bool) -> None:
    """See some rows of all groups of templates on a path; ``rows``: makes those of a group and says what they come to.

    ``whole``: those of least energy by backing, and of least latency, are among them; else what a beam search finds.
    """
    still = _StillToCome.of(makers[0].labeller)
    if not whole:
        labeller = makers[0].labeller.afresh(_thinner(makers[0].labeller.lattice.n))
        makers = [maker.of(labeller) for maker in makers]
        still.guard((maker.root(still.boxes) for maker in makers), to_beat(seen.every()))
    else:
        guard_all(makers, seen.worse(), still)
    for maker in makers:
        seen.add(maker.backing, rows(maker))


def front(known: Floats) -> Floats:
    """Points that no other one betters."""
    order = np.lexsort((known[:, 1], known[:, 0]))
    kept: list[int] = []
    for k in order.tolist():
        if not kept or known[k, 1] < known[kept[-1], 1]:
            kept.append(k)
    return known[kept]


def count_nodes(roots: Iterable[Node]) -> int:
    """How many nodes there are below some roots."""
    return sum(1 for _ in _outermost_first(*roots))


def _outermost_first(*roots: Node) -> Iterator[Node]:
    """Each node below the roots once, after all those further out that have it as a part."""
    order: list[Node] = []
    seen: set[int] = set()
    stack = [(root, False) for root in roots]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((part.inner.node, False) for part in node.parts)
    yield from reversed(order)


@attrs.frozen(eq=False)
class Root:
    """An outermost node, and what its rows come to further out: per column (energy, latency forms) and box of states
    the least that is ``above``, and the ``share`` that compute time is at least multiplied by."""

    node: Node
    above: Floats | None = None
    share: float = 1.0


@attrs.frozen(eq=False)
class _StillToCome:
    """The least that is still to come from each box of states; what cuts add is known once for several searches."""

    labeller: Labeller
    boxes: Boxes
    costs: Costs  # of the boxes
    _added: dict[Cut, Floats] = attrs.Factory(dict)

    @classmethod
    def of(cls, labeller: Labeller) -> _StillToCome:
        field = labeller.field
        field.sparse = field.lattice.n > MANY and bool(field.lattice.tiles)
        if not field.sparse:
            return cls(labeller, Boxes.single(field.lattice), field.every)
        boxes = Boxes.few(field.lattice)
        return cls(labeller, boxes, Costs(boxes.points, field.columns))

    def guard(self, roots: Iterable[Root], known: Floats) -> None:
        """Set guards and shares of all nodes below the roots; ``known``: see `to_beat`."""
        columns, boxes = self.costs.columns, self.boxes
        variables = boxes.lattice.variables
        timed = float(Objectives.of(self.labeller.options.metrics).latency)
        scale = np.array([_least_scale(columns, index) for index, _ in columns.forms], np.float64)
        to_go: dict[int, Floats] = {}
        share: dict[int, float] = {}
        outermost: list[Node] = []
        for root in roots:
            key = id(root.node)
            outermost.append(root.node)
            least = np.zeros((1 + len(columns.forms), boxes.n)) if root.above is None else root.above
            to_go[key] = np.minimum(to_go[key], least) if key in to_go else least
            share[key] = min(share.get(key, 1.0), root.share)
        for node in _outermost_first(*outermost):
            own = to_go[id(node)]
            inside = partial(self._inside, node, own)
            node.guard = Guard(boxes, own, scale, columns.constant_power, timed, known, inside)
            node.share = share[id(node)]
            further = inside()
            led: dict[frozenset[tuple[int, bool]], Floats] = {}  # by the variables that move
            for part in node.parts:
                inner, imperfect = part.inner, part.outline.imperfect(node.cut)
                names = {*part.outline.template.blocks[node.cut], *(v for _, _, v in inner.spread.loops)}
                moving = frozenset((variables.index(v), v in imperfect) for v in names)
                if moving not in led:
                    led[moving] = further.copy()
                    for axis, to_bound in sorted(moving):
                        boxes.over_multiples(led[moving], axis, to_bound)
                least = led[moving]
                key = id(inner.node)
                to_go[key] = np.minimum(to_go[key], least) if key in to_go else least
                instances = math.prod(most for _, _, most in inner.spread.most)
                inner.share = min(inner.share, node.share) if key in share else node.share
                share[key] = min(share.get(key, 1.0), node.share / instances)

    def _inside(self, node: Node, outside: Floats) -> Floats:
        """What is still to come right inside of a node's cut, by what is outside of it."""
        further = outside + self.added(node.outline.cuts[node.cut])
        for v in node.outline.closed[node.cut]:
            further += self.boxes.ended(self.boxes.lattice.variables.index(v))
        return further

    def added(self, cut: Cut) -> Floats:
        """The least that a cut adds to energy and forms, per box; infinity where no tile fits."""
        if cut not in self._added:
            columns, costs = self.costs.columns, self.costs
            entries = costs.entries(cut)
            own = columns.ordered(c for _, c in entries)
            values = np.zeros((self.boxes.n, 1 + len(own)))
            for row, column in entries:
                values[:, 1 + own.index(column)] += costs.bank[row]
            totals = least_sums(values, costs.ranges.rivals(own))
            forms = slice(2, 2 + len(columns.forms))
            # What is skipped is never more than what is moved.
            result: Floats = np.maximum(0.0, np.concatenate([totals[:1], totals[forms]]))
            memories = slice(forms.stop, columns.first_power)
            limits = np.array(columns.limits(columns.plain()))[memories, None]
            result[:, (totals[memories] > limits).any(axis=0)] = np.inf
            self._added[cut] = result
        return self._added[cut]


def _least_scale(columns: Columns, index: int) -> float:
    """The least that the total of a component is multiplied by: 1 / the most instances of it."""
    points = float(math.prod(columns.einsum.bounds.values()))
    result = 1.0
    for component in columns.components[: index + 1]:
        for dimension in component.spatial:
            result /= max(1.0, min(points, dimension.most))
    return result


def _thinner(n: int) -> Thinner:
    """Keeps the labels that promise most: in energy, in time, in their product. ``n``: how many states there are."""

    def thinned(lists: Lists, values: Floats, around: Around, shares: Floats) -> tuple[Lists, Floats, Ints]:
        if len(values) <= _BEAM:
            return lists, values, np.arange(len(values))
        energy, latency = promises(lists, values, n, around, shares).T
        if around.guard[3]:
            energy += around.guard[3] * latency
        time = values[:, around.rivals.ends[0]]  # tells apart what other components slow down alike
        chosen = [np.lexsort(keys)[:_BEAM] for keys in ((time, latency, energy), (energy, time, latency))]
        chosen.append(np.argsort(energy * latency, kind="stable")[:_BEAM])
        kept = np.unique(np.concatenate(chosen))
        places = np.repeat(np.arange(len(lists.offsets) - 1), np.diff(lists.offsets))
        left = np.bincount(places[kept], minlength=len(lists.offsets) - 1)
        offsets = np.concatenate([[0], np.cumsum(left)]).astype(np.int64)
        return Lists(offsets, lists.keys), values[kept], kept

    return thinned
