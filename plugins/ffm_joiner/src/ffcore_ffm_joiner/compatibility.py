"""Compatibility as integers: every distinct reservation of a shared tensor gets a number.

Two groups of pmappings agree on a tensor exactly when its numbers are equal. All is done on whole
arrays; the readable form of the same facts is ``ffcore.pmappings.compatibility``.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence

import attrs
import numpy as np

from ffcore.plugin import Component, EinsumPmappings, decode_loop, decode_loops, loop_sizes, rank_values
from ffcore_ffm_joiner.arrays import Memo, distinct, least, pack
from ffcore_ffm_joiner.kernels import Floats, Ints


class Detail(enum.Enum):
    """How much of a reservation its number tells, besides memory and persistence."""

    LOOPS = "loops"  # the loops above, in any order
    ORDER = "order"  # and their order: compatibility itself


class Extent(enum.Enum):
    """Which extent of a tensor counts where that cannot be known exactly.

    Einsums may see several (halos): beside its first user and the Einsums before, and beside its last and those after.
    In between, the largest counts (semantics, section 4); there it depends on which of the others keep theirs.
    Instances may hold parts of a persistent tensor, where its memory stands below a fanout: rows do not say which.
    """

    OWN = "own"  # of the user that runs, or is next; the least that an instance may hold: never more than it takes
    LARGEST = "largest"  # never less


@attrs.frozen(cache_hash=True)
class TensorForm:
    """A shared tensor as one Einsum sees it, names left out."""

    ranks: tuple[tuple[int, tuple[tuple[int, int], ...]], ...]  # (number, (variable's number, coefficient)s)
    memory: tuple[int, ...]  # per component: index into the tracked memories, or -1
    share: tuple[float, ...]  # per component: of its size that one value takes
    copies: tuple[float, ...]  # per component: of a persistent tensor, whole ones that an instance holds
    parts: bool  # may instances hold parts of a persistent tensor, so that ``copies`` depends on the extent?

    def ranks_of(self, variable: int) -> int:
        """Ranks that the variable indexes alone, as bits."""
        return sum(1 << rank for rank, terms in self.ranks if len(terms) == 1 and terms[0][0] == variable)


@attrs.frozen(eq=False)
class Source:
    """One Einsum's pmappings, and what the numbers in them mean, names left out."""

    pmappings: EinsumPmappings
    sizes: tuple[Sequence[int], ...]  # of loops over each rank variable, by their numbers in codes
    places: tuple[int, ...]  # per component: number of its name
    forms: tuple[TensorForm, ...]  # of the shared tensors

    @property
    def shared(self) -> tuple[str, ...]:
        return self.pmappings.shape.shared


def sources(einsums: Sequence[EinsumPmappings], extent: Extent) -> list[Source]:
    """The same numbers for the same component, and for the same rank of a tensor, in all Einsums."""
    names: dict[str, int] = {}
    ranks: dict[str, dict[str, int]] = {}
    parts: dict[tuple[str, str], int] = {}  # the most in any Einsum, so that all count a tensor at the same
    for e in einsums:
        _count_parts(e, parts)
    result = []
    for e in einsums:
        components = e.places
        places = tuple(names.setdefault(c.name, len(names)) for c in components)
        forms = tuple(_form(e, name, components, ranks.setdefault(name, {}), parts, extent) for name in e.shape.shared)
        result.append(Source(e, tuple(loop_sizes(e.einsum, v) for v in e.einsum.bounds), places, forms))
    return result


def _form(
    e: EinsumPmappings,
    name: str,
    components: Sequence[Component],
    numbers: dict[str, int],
    parts: Mapping[tuple[str, str], int],
    extent: Extent,
) -> TensorForm:
    tensor, memories = e.einsum.tensor[name].kept, e.shape.memories
    most = [parts.get((name, c.name), 1) for c in components]
    n = e.einsum.n_instances
    variable = {v: i for i, v in enumerate(e.einsum.bounds)}
    return TensorForm(
        tuple(
            (numbers.setdefault(rank.rank, len(numbers)), tuple((variable[v], c) for v, c in rank.terms))
            for rank in tensor.ranks
        ),
        tuple(memories.index(c.name) if c.name in memories else -1 for c in components),
        # A memory of size 0 holds nothing in any row.
        tuple(e.einsum.bits(tensor, c) / c.size if c.size else 0.0 for c in components),
        tuple(n / k if extent is Extent.OWN else n for k in most),
        max(most, default=1) > 1,
    )


def _count_parts(e: EinsumPmappings, most: dict[tuple[str, str], int]) -> None:
    """Per shared persistent tensor and memory, the most parts that spatial loops may spread over instances."""
    for template in e.templates:
        for site in template.sites:
            if site.tensor in e.shape.shared and site.backing and site.persistent:
                above = {(s.index, s.dimension) for s in template.spatial if s.index <= site.index}
                parts = math.prod(template.components[i].spatial[d].fanout for i, d in above)
                key = site.tensor, template.components[site.index].name
                most[key] = max(most.get(key, 1), parts)


@attrs.frozen(eq=False)
class Table:
    """Rows of one Einsum, by group of equal compatibility: what is left of its pmappings, loops in their order."""

    loops: Ints  # as in ``Rows``
    depth: Ints
    memory: Ints
    values: Floats
    source: Ints  # row of the pmappings
    offsets: Ints  # group g is rows offsets[g]:offsets[g + 1]

    def groups(self, wanted: Ints) -> Table:
        """Some of the groups, in ascending order."""
        sizes = np.diff(self.offsets)
        keep = np.zeros(len(sizes), np.bool_)
        keep[wanted] = True
        rows = np.flatnonzero(np.repeat(keep, sizes))
        offsets = np.concatenate([[0], np.cumsum(sizes[wanted])]).astype(np.int64)
        values, source = self.values[rows], self.source[rows]
        return Table(self.loops[rows], self.depth[rows], self.memory[rows], values, source, offsets)

    def first(self) -> tuple[Ints, Ints, Ints]:
        """Loops, depth and memory of each group."""
        rows = self.offsets[:-1]
        return self.loops[rows], self.depth[rows], self.memory[rows]


@attrs.frozen(eq=False)
class TensorTable:
    """What each number of one tensor stands for."""

    depth: Ints  # loops above the backing reservation; -1: persistent
    memory: Ints  # index into the tracked memories, or -1
    share: Floats  # of the memory that its reservation takes at most; known with ``ORDER`` only
    seen: Floats  # (Einsums that touch it, numbers) what it takes as each of them sees it; known with ``ORDER`` only
    trips: Ints  # (numbers, depth) trip counts of the loops, 0 beyond; known with ``ORDER`` only

    def __len__(self) -> int:
        return len(self.depth)

    @property
    def differ(self) -> bool:
        """Does some Einsum see less of one in a tracked memory than another?"""
        return bool(((self.seen >= 0) & (self.seen < self.share) & (self.memory >= 0)).any())


@attrs.frozen(eq=False)
class GroupSummary:
    """What the groups of one Einsum show to the join."""

    tensors: tuple[str, ...]
    ids: Ints  # (groups, tensors) numbers in the tensors' tables
    trips: Ints  # (groups, depth) trip counts down to the deepest shared tensor, 0 beyond
    energy: Floats  # least of each group, J
    latency: Floats  # least of each group, s


@attrs.frozen(eq=False)
class _View:
    """One tensor as the groups of one Einsum see it."""

    place: Ints  # (groups,)
    depth: Ints  # (groups,)
    memory: Ints  # (groups,)
    share: Floats  # (groups,)
    loops: _Loops
    seen: tuple[tuple[object, ...], ...]  # per distinct loop: what must be equal on both sides


def number_tensors(
    einsums: Sequence[Source], groups: Sequence[tuple[Ints, Ints, Ints]], detail: Detail, once: Memo
) -> tuple[list[Ints], dict[str, TensorTable]]:
    """(per Einsum (groups, shared tensors) numbers, per tensor what they stand for).

    ``groups``: loops, depth and memory of each Einsum's groups, as in ``Rows``.
    """
    loops = [once(_decode, s.sizes, codes) for s, (codes, _, _) in zip(einsums, groups, strict=True)]
    users: dict[str, list[tuple[int, int]]] = {}
    for i, s in enumerate(einsums):
        for k, name in enumerate(s.shared):
            users.setdefault(name, []).append((i, k))
    ids: dict[tuple[int, int], Ints] = {}
    tables: dict[str, TensorTable] = {}
    for name, places in users.items():
        views = tuple(
            once(_view, k, einsums[i].forms[k], einsums[i].places, loops[i], *groups[i][1:], detail) for i, k in places
        )
        numbers, tables[name] = once(_number, views, detail)
        ids.update(zip(places, numbers, strict=True))
    numbered = [
        once(_stacked, tuple(ids[i, k] for k in range(len(s.shared))), len(groups[i][0])) for i, s in enumerate(einsums)
    ]
    return numbered, tables


def _stacked(columns: tuple[Ints, ...], rows: int) -> Ints:
    return np.stack(columns, axis=1) if columns else np.zeros((rows, 0), np.int64)


def _view(
    k: int, form: TensorForm, places: tuple[int, ...], loops: _Loops, depth: Ints, memory: Ints, detail: Detail
) -> _View:
    own, index = depth[:, k], memory[:, k]
    share = np.zeros(len(own))
    if detail is Detail.ORDER:
        width = np.asarray(form.share)[index] * np.where(own < 0, np.asarray(form.copies)[index], 1.0)
        share = loops.tile_values(form, own) * width
    place, tracked = np.asarray(places, np.int64)[index], np.asarray(form.memory, np.int64)[index]
    return _View(place, own, tracked, share, loops, loops.seen_by(form, detail is Detail.ORDER))


def _number(views: tuple[_View, ...], detail: Detail) -> tuple[list[Ints], TensorTable]:
    """(numbers in each view, what they stand for)."""
    codes: dict[tuple[object, ...], int] = {}
    above = [_above(v, codes) for v in views]
    if detail is Detail.LOOPS:
        above = [np.sort(a, axis=1) for a in above]
    place, depth, memory = (np.concatenate([getattr(v, f) for v in views]) for f in ("place", "depth", "memory"))
    columns = np.concatenate(above)
    first, inverse = distinct(pack([place, (depth < 0).astype(np.int64), *columns.T], len(place)))
    numbers = np.split(inverse, np.cumsum([len(v.place) for v in views])[:-1])
    seen = np.full((len(views), len(first)), -1.0)
    for own, number, view in zip(seen, numbers, views, strict=True):
        own[number] = view.share
    trips = np.zeros((len(first), 1), np.int64)
    if detail is Detail.ORDER:
        trips = np.concatenate([np.where(a > 0, v.loops.trips, 0) for a, v in zip(above, views, strict=True)])[first]
    return numbers, TensorTable(depth[first], memory[first], seen.max(axis=0), seen, trips)


def _above(view: _View, codes: dict[tuple[object, ...], int]) -> Ints:
    """Numbers of the loops above the tensor's reservation, 0 beyond."""
    number = np.array([codes.setdefault(s, len(codes) + 1) if s else 0 for s in view.seen], np.int64)
    above = np.arange(view.loops.index.shape[1]) < view.depth[:, None]
    return np.where(above, number[view.loops.index], 0)


@attrs.frozen(eq=False)
class _Loops:
    """The fused loops of groups, decoded."""

    index: Ints  # (groups, depth) into what follows
    distinct: tuple[tuple[int, bool, int, int] | None, ...]  # (variable, spatial, trips, tile); None: no loop
    sizes: tuple[Sequence[int], ...]

    @property
    def trips(self) -> Ints:
        return np.array([d[2] if d else 0 for d in self.distinct], np.int64)[self.index]

    def seen_by(self, form: TensorForm, with_tile: bool) -> tuple[tuple[object, ...], ...]:
        """Each distinct loop as (ranks of the tensor, spatial, trips, tile); empty: no loop.

        Tiles depend on the order where a block has several loops over one variable.
        """
        return tuple((form.ranks_of(d[0]), d[1], d[2], d[3] if with_tile else None) if d else () for d in self.distinct)

    def tile_values(self, form: TensorForm, depth: Ints) -> Floats:
        """Values of the tensor under the loops above its reservation."""
        variable = np.array([d[0] if d else -1 for d in self.distinct], np.int64)[self.index]
        tile = np.array([d[3] if d else 0 for d in self.distinct], np.int64)[self.index]
        variable[np.arange(self.index.shape[1]) >= depth[:, None]] = -1
        extent = {}
        for v in {v for _, terms in form.ranks for v, _ in terms}:
            size = np.full(len(depth), self.sizes[v][-1])
            for j in range(self.index.shape[1]):
                size = np.where(variable[:, j] == v, tile[:, j], size)
            extent[v] = size
        values = np.ones(len(depth))
        for _, terms in form.ranks:
            if terms:
                values = values * rank_values(terms, extent)
        return values


def _decode(sizes: tuple[Sequence[int], ...], codes: Ints) -> _Loops:
    first, inverse = distinct(short_codes(codes))
    found: list[tuple[int, bool, int, int] | None] = []
    for code in codes.reshape(-1)[first].tolist():
        variable, spatial, trips, tile = decode_loop(code)
        values = sizes[variable] if code else ()
        found.append((variable, spatial, values[trips], values[tile]) if code else None)
    return _Loops(inverse.reshape(codes.shape), tuple(found), sizes)


def short_codes(codes: Ints) -> Ints:
    """All codes in one row, and small: equal where the codes are equal."""
    flat = codes.reshape(-1)
    return pack([*decode_loops(flat)], len(flat))


def summary_of(source: Source, table: Table, ids: Ints, tables: dict[str, TensorTable], once: Memo) -> GroupSummary:
    """What the groups of a table show, their tensors numbered in full detail."""
    own = tuple(tables[name] for name in source.shared)
    return GroupSummary(source.shared, ids, *once(_shown, table, ids, own))


def _shown(table: Table, ids: Ints, tensors: tuple[TensorTable, ...]) -> tuple[Ints, Floats, Floats]:
    """(trip counts, least energy, least latency) of each group."""
    trips = np.zeros((len(ids), table.loops.shape[1]), np.int64)
    deepest = np.full(len(ids), -1)
    for k, tensor in enumerate(tensors):
        depth = tensor.depth[ids[:, k]]
        deeper = depth > deepest
        trips[deeper] = tensor.trips[ids[deeper, k]]
        deepest = np.maximum(deepest, depth)
    group = np.repeat(np.arange(len(ids)), np.diff(table.offsets))
    energy, latency = (least(table.values[:, c], group, len(ids)) for c in (0, 1))
    return trips, energy, latency
