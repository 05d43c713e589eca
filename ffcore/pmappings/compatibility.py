"""Compatibility: what two pmappings must agree on to be joined (semantics, section 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from ffcore.model.types import LoopAbove
from ffcore.pmappings.loops import decode_loop, loop_sizes
from ffcore.pmappings.set import EinsumPmappings
from ffcore.spec.problem import EinsumProblem


@attrs.frozen
class TensorReservation:
    """Where a shared tensor is kept, and under which loops: both sides of a join must agree."""

    name: str
    memory: str
    loops: tuple[LoopAbove, ...]  # as the tensor sees them: its ranks, no variable
    persistent: bool = False

    @property
    def depth(self) -> int:
        """Loops above the backing reservation; -1 for a persistent tensor."""
        return -1 if self.persistent else len(self.loops)


@attrs.frozen
class Compatibility:
    """The compatibility of a group of pmappings: one reservation per shared tensor, and the nest.

    Loops of one block (neighbours with the same number in ``blocks``) may be permuted, in the same
    way for all tensors; one order stands for all.
    """

    tensors: tuple[TensorReservation, ...]
    nest: tuple[LoopAbove, ...]  # fused loops down to the deepest shared tensor, outermost first
    blocks: tuple[int, ...] = ()  # per loop of the nest

    @property
    def loops(self) -> tuple[LoopAbove, ...]:
        return self.nest

    def tensor(self, name: str) -> TensorReservation:
        return next(t for t in self.tensors if t.name == name)


def compatibilities(pmappings: EinsumPmappings) -> list[Compatibility]:
    """The compatibility of each group, in order."""
    reader = _Reader(pmappings.einsum)
    rows, shape = pmappings.rows, pmappings.shape
    first = pmappings.offsets[:-1]
    loops, depth, memory = rows.loops[first].tolist(), rows.depth[first].tolist(), rows.memory[first].tolist()
    names = _component_names(pmappings)
    blocks = rows.blocks[first].tolist()
    result = []
    for g in range(len(first)):
        nest = reader.nest(loops[g])[: max(0, *depth[g], 0)] if depth[g] else ()
        tensors = tuple(
            reader.reservation(name, names[m], nest, d)
            for name, m, d in zip(shape.shared, memory[g], depth[g], strict=True)
        )
        result.append(Compatibility(tensors, nest, tuple(blocks[g][: len(nest)])))
    return result


def _component_names(pmappings: EinsumPmappings) -> Mapping[int, str]:
    return {i: c.name for i, c in enumerate(pmappings.places)}


@attrs.define
class _Reader:
    """Reads loop codes back; everything is interned, since groups share most of it."""

    einsum: EinsumProblem
    _loops: dict[int, LoopAbove] = attrs.Factory(dict)
    _seen: dict[tuple[str, LoopAbove], LoopAbove] = attrs.Factory(dict)

    def nest(self, codes: Sequence[int]) -> tuple[LoopAbove, ...]:
        return tuple(self._loop(code) for code in codes if code)

    def _loop(self, code: int) -> LoopAbove:
        if code not in self._loops:
            axis, spatial, trips, tile = decode_loop(code)
            variable = list(self.einsum.bounds)[axis]
            values = loop_sizes(self.einsum, variable)
            self._loops[code] = LoopAbove(variable, (), values[trips], values[tile], spatial)
        return self._loops[code]

    def reservation(self, name: str, memory: str, nest: Sequence[LoopAbove], depth: int) -> TensorReservation:
        loops = tuple(self._as_seen(name, loop) for loop in nest[: max(0, depth)])
        return TensorReservation(name, memory, loops, depth < 0)

    def _as_seen(self, name: str, loop: LoopAbove) -> LoopAbove:
        key = (name, loop)
        if key not in self._seen:
            ranks = self.einsum.tensor[name].ranks_of(loop.variable)
            self._seen[key] = LoopAbove("", ranks, loop.trips, loop.tile, loop.spatial)
        return self._seen[key]
