"""Fused tile choices: every chain of states from the outermost cut to the fused cut."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import attrs
import numpy as np

from ffcore.explore.kernels import Bools, Ints
from ffcore.explore.lattice import Lattice
from ffcore.explore.numbers import divisors
from ffcore.explore.spatial import SpatialChoice
from ffcore.spec.problem import MapperOptions
from ffcore.templates import Template

_BITS = 20  # of each of trips and tile in a loop's code


def decode_loop(code: int) -> tuple[int, bool, int, int]:
    """(variable, spatial, index of trips, index of tile) of a loop's code."""
    head = code >> (2 * _BITS)
    mask = (1 << _BITS) - 1
    return head // 2, bool(head % 2), (code >> _BITS) & mask, code & mask


def encode_loops(variable: Ints | int, spatial: Ints | int, trips: Ints, tile: Ints) -> Ints:
    """Loops as integers: (variable, spatial, trips, tile), each bound by 2**20 after indexing."""
    return ((variable * 2 + spatial) << 2 * _BITS) | (trips << _BITS) | tile


def decode_loops(codes: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """The same for an array of codes."""
    head = codes >> (2 * _BITS)
    mask = (1 << _BITS) - 1
    return head // 2, head % 2, (codes >> _BITS) & mask, codes & mask


@attrs.frozen(eq=False)
class Chains:
    """All chains of one template under one spatial choice within the fused-loop limits."""

    states: Ints  # (chains, cuts 0 .. fused cut)
    ran: Bools  # (chains, temporal entries): runs more than once
    entries: tuple[tuple[int, int], ...]  # (block, axis) of each temporal fused loop
    _above: dict[int, Ints] = attrs.Factory(dict)

    def loops_above(self, cut: int) -> Ints:
        """Per chain, the temporal loops above ``cut`` that run more than once."""
        if cut not in self._above:
            columns = [k for k, (block, _) in enumerate(self.entries) if block < cut]
            self._above[cut] = np.asarray(self.ran[:, columns].sum(axis=1), np.int64)
        return self._above[cut]


def fused_chains(lattice: Lattice, template: Template, choice: SpatialChoice, options: MapperOptions) -> Chains | None:
    """Enumerate chains variable by variable; None when the spatial loops alone break a limit."""
    last = template.fused_cut
    fixed: dict[str, int] = {}
    for loop in choice.loops:
        if template.fuses and loop.block < last:
            fixed[loop.variable] = fixed.get(loop.variable, 0) + 1
    per_variable = options.max_fused_loops_per_rank_variable
    if sum(fixed.values()) > options.max_fused_loops or any(n > per_variable for n in fixed.values()):
        return None
    entries: list[tuple[int, int]] = []
    states = np.zeros((1, last + 1), np.int64)
    ran = np.zeros((1, 0), np.bool_)
    room = options.max_fused_loops - sum(fixed.values())
    for axis, v in enumerate(lattice.variables):
        blocks = [b for b in range(last) if v in template.blocks[b]]
        inner = any(v in block for block in template.blocks[last:])
        limit = min(per_variable - fixed.get(v, 0), room)
        coordinates, own_ran = _variable_table(lattice.values[axis], tuple(blocks), last, limit, inner)
        if not len(coordinates):
            return None
        own_states = coordinates * lattice.strides[axis]
        states = (states[:, None, :] + own_states[None, :, :]).reshape(-1, last + 1)
        n = len(ran)
        ran = np.concatenate([np.repeat(ran, len(own_ran), axis=0), np.tile(own_ran, (n, 1))], axis=1)
        entries.extend((b, axis) for b in blocks)
        within = ran.sum(axis=1) <= room
        states, ran = states[within], ran[within]
    return Chains(states, ran, tuple(entries))


@lru_cache(maxsize=1024)
def _variable_table(
    values: tuple[int, ...], blocks: tuple[int, ...], last: int, limit: float, inner: bool
) -> tuple[Ints, Bools]:
    """The chains of one rank variable as arrays: (chains, cuts) and (chains, blocks)."""
    own = list(_variable_chains(values, blocks, last, limit, inner))
    coordinates = np.array([c for c, _ in own], np.int64).reshape(len(own), last + 1)
    return coordinates, np.array([r for _, r in own], np.bool_).reshape(len(own), len(blocks))


def _variable_chains(
    values: tuple[int, ...], blocks: tuple[int, ...], last: int, limit: float, inner: bool
) -> Iterator[tuple[list[int], list[bool]]]:
    """(coordinate at each cut, runs more than once per block) for one rank variable."""

    def extend(k: int, at: int, used: int) -> Iterator[list[int]]:
        if k == len(blocks):
            if inner or at == 0:
                yield []
            return
        for lower in range(at, -1, -1):
            if values[at] % values[lower] == 0 and used + (lower < at) <= limit:
                for tail in extend(k + 1, lower, used + (lower < at)):
                    yield [lower, *tail]

    top = len(values) - 1
    for steps in extend(0, top, 0):
        coordinates = [top]
        for cut in range(1, last + 1):
            here = [steps[k] for k, b in enumerate(blocks) if b == cut - 1]
            coordinates.append(here[0] if here else coordinates[-1])
        befores = [top, *steps][: len(steps)]
        yield coordinates, [b != s for b, s in zip(befores, steps, strict=True)]


@attrs.frozen
class Entry:
    """A fused loop as it stands in the nest."""

    block: int
    axis: int
    spatial: int  # index into the spatial choice's loops, or -1


def loop_table(
    chains: Chains, lattice: Lattice, template: Template, choice: SpatialChoice, depth: int
) -> tuple[Ints, Ints]:
    """(codes, blocks) of each chain's fused loops, both (chains, depth); 0 and -2 beyond the last loop.

    Blocks are cut at every holder and reservation. Within a block the order given here is one of
    several that count the same. A loop's tile is what the loops above it leave over.
    """
    count = len(chains.states)
    codes = np.zeros((count, depth), np.int64)
    blocks = np.full((count, depth), -2, np.int64)
    placed = np.zeros(count, np.int64)
    left: dict[int, Ints] = {}
    for entry, runs in sorted(_entries(chains, lattice, template, choice), key=lambda e: _order(e[0])):
        bound = lattice.einsum.bounds[lattice.variables[entry.axis]]
        everything = np.asarray(divisors(bound))
        trips = _trips(chains, lattice, choice, entry)
        tile = left.get(entry.axis, np.full(count, bound)) // trips
        left[entry.axis] = tile
        code = encode_loops(
            entry.axis, int(entry.spatial >= 0), np.searchsorted(everything, trips), np.searchsorted(everything, tile)
        )
        members = np.flatnonzero(runs)
        codes[members, placed[members]] = code[members]
        blocks[members, placed[members]] = entry.block
        placed[members] += 1
    return codes, blocks


def _order(entry: Entry) -> tuple[int, bool, int]:
    return entry.block, entry.spatial >= 0, entry.axis


def _entries(
    chains: Chains, lattice: Lattice, template: Template, choice: SpatialChoice
) -> Iterator[tuple[Entry, Bools]]:
    """Each fused loop, and in which chains it runs more than once."""
    for k, (block, axis) in enumerate(chains.entries):
        yield Entry(block, axis, -1), chains.ran[:, k]
    for k, loop in enumerate(choice.loops):
        if template.fuses and loop.block < template.fused_cut:
            everywhere = np.ones(len(chains.states), np.bool_)
            yield Entry(loop.block, lattice.variables.index(loop.variable), k), everywhere


def _trips(chains: Chains, lattice: Lattice, choice: SpatialChoice, entry: Entry) -> Ints:
    if entry.spatial >= 0:
        return np.full(len(chains.states), choice.trips[entry.spatial])
    values = np.asarray(lattice.values[entry.axis])
    size, stride = len(values), lattice.strides[entry.axis]
    outer = values[(chains.states[:, entry.block] // stride) % size]
    inner = values[(chains.states[:, entry.block + 1] // stride) % size]
    return np.asarray(outer // inner, np.int64)
