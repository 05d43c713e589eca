"""Fused tile choices: every chain of states from the outermost cut to the fused cut."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import numpy as np

from ffcore.explore.kernels import Ints
from ffcore.explore.lattice import Lattice
from ffcore.explore.numbers import divisors
from ffcore.explore.spatial import SpatialChoice
from ffcore.spec.problem import MapperOptions
from ffcore.templates import Template

_BITS = 20  # of each of trips and tile in a loop's code


def encode_loop(variable: int, spatial: bool, trips: Ints, tile: Ints) -> Ints:
    """Loops as integers: (variable, spatial, trips, tile), each bound by 2**20 after indexing."""
    return (((variable * 2 + int(spatial)) << _BITS | trips) << _BITS) | tile


def decode_loop(code: int) -> tuple[int, bool, int, int]:
    """(variable, spatial, index of trips, index of tile) of a loop's code."""
    head = code >> (2 * _BITS)
    mask = (1 << _BITS) - 1
    return head // 2, bool(head % 2), (code >> _BITS) & mask, code & mask


def encode_loops(variable: Ints, spatial: Ints, trips: Ints, tile: Ints) -> Ints:
    """The same for arrays of all four."""
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
    ran: np.ndarray[tuple[int, int], np.dtype[np.bool_]]  # (chains, temporal entries): runs more than once
    entries: tuple[tuple[int, int], ...]  # (block, axis) of each temporal fused loop

    def loops_above(self, cut: int) -> Ints:
        """Per chain, the temporal loops above ``cut`` that run more than once."""
        columns = [k for k, (block, _) in enumerate(self.entries) if block < cut]
        return np.asarray(self.ran[:, columns].sum(axis=1), np.int64)


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
        own = list(_variable_chains(lattice.values[axis], blocks, last, limit, inner))
        if not own:
            return None
        own_states = np.array([c for c, _ in own], np.int64).reshape(len(own), last + 1) * lattice.strides[axis]
        own_ran = np.array([r for _, r in own], np.bool_).reshape(len(own), len(blocks))
        states = (states[:, None, :] + own_states[None, :, :]).reshape(-1, last + 1)
        n = len(ran)
        ran = np.concatenate([np.repeat(ran, len(own), axis=0), np.tile(own_ran, (n, 1))], axis=1)
        entries.extend((b, axis) for b in blocks)
        within = ran.sum(axis=1) <= room
        states, ran = states[within], ran[within]
    return Chains(states, ran, tuple(entries))


def _variable_chains(
    values: tuple[int, ...], blocks: list[int], last: int, limit: float, inner: bool
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
    several that count the same.
    """
    codes = np.zeros((len(chains.states), depth), np.int64)
    blocks = np.full((len(chains.states), depth), -2, np.int64)
    for members, own, at in _fused_loops(chains, lattice, template, choice):
        codes[members, : own.shape[1]] = own
        blocks[members, : own.shape[1]] = at
    return codes, blocks


def _fused_loops(
    chains: Chains, lattice: Lattice, template: Template, choice: SpatialChoice
) -> Iterator[tuple[Ints, Ints, Ints]]:
    """(chain numbers, loop codes (chains, loops), block of each loop) of chains with the same loops."""
    last = template.fused_cut
    spatial = [
        Entry(loop.block, lattice.variables.index(loop.variable), k)
        for k, loop in enumerate(choice.loops)
        if template.fuses and loop.block < last
    ]
    if len(chains.ran) == 0:
        return
    weights = 1 << np.arange(len(chains.entries), dtype=np.int64)
    patterns, inverse = np.unique(chains.ran @ weights, return_inverse=True)
    for p, pattern in enumerate(patterns):
        members = np.flatnonzero(inverse == p)
        running = [Entry(b, a, -1) for k, (b, a) in enumerate(chains.entries) if int(pattern) >> k & 1]
        entries = sorted((*running, *spatial), key=lambda e: (e.block, e.spatial >= 0, e.axis))
        trips = {e: _trips(chains, lattice, choice, e, members) for e in entries}
        blocks = np.array([e.block for e in entries], np.int64)
        yield members, _codes(lattice, entries, trips, len(members)), blocks


def _codes(lattice: Lattice, order: list[Entry], trips: dict[Entry, Ints], count: int) -> Ints:
    """Codes of loops in the given order: a loop's tile is what the loops above it leave over."""
    columns = np.zeros((count, len(order)), np.int64)
    left: dict[int, Ints] = {}
    for position, entry in enumerate(order):
        bound = lattice.einsum.bounds[lattice.variables[entry.axis]]
        everything = np.asarray(divisors(bound))
        tile = left.get(entry.axis, np.full(count, bound)) // trips[entry]
        left[entry.axis] = tile
        columns[:, position] = encode_loop(
            entry.axis,
            entry.spatial >= 0,
            np.searchsorted(everything, trips[entry]),
            np.searchsorted(everything, tile),
        )
    return columns


def _trips(chains: Chains, lattice: Lattice, choice: SpatialChoice, entry: Entry, members: Ints) -> Ints:
    if entry.spatial >= 0:
        return np.full(len(members), choice.trips[entry.spatial])
    values = np.asarray(lattice.values[entry.axis])
    size, stride = len(values), lattice.strides[entry.axis]
    outer = values[(chains.states[members, entry.block] // stride) % size]
    inner = values[(chains.states[members, entry.block + 1] // stride) % size]
    return np.asarray(outer // inner, np.int64)
