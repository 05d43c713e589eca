"""The fold: Einsums in workload order, left's groups joined with right's (semantics, section 4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import numpy as np

from ffcore.join.compatibility import Compatibility, TensorReservation, compatibilities, reserved_bits
from ffcore.join.types import JoinedMapping, PmappingSet
from ffcore.explore.nests import nest_of_row
from ffcore.explore.types import EinsumPmappings
from ffcore_ffm_joiner.kernels import Floats, Ints, PairTable, join_rows

Key = tuple[TensorReservation, ...]


@attrs.frozen
class Interface:
    """What a right group shows to the fold: everything that decides a match, and its constants."""

    known: Key  # tensors that left touches too
    later: Key  # tensors that a later Einsum touches
    trips: tuple[int, ...]  # of its deepest loop list
    reach: int  # greatest depth among ``later``
    fresh: tuple[tuple[str, int, float], ...]  # (memory, level, bits) of tensors first touched here
    dying: tuple[tuple[str, int, float], ...]  # the same of tensors last touched here


@attrs.frozen(eq=False)
class State:
    """Left: the Einsums joined so far. Group g: rows offsets[g]:offsets[g + 1], live tensors keys[g]."""

    keys: list[Key]
    offsets: Ints
    values: Floats
    who: Ints  # (rows, 2): row of the previous state, row of the Einsum's pmappings
    before: State | None


@attrs.frozen
class Turn:
    """Which of an Einsum's shared tensors were touched before it, and which are touched after it."""

    before: frozenset[str]
    after: frozenset[str]


def turns(problem_tensors: Sequence[Sequence[str]]) -> list[Turn]:
    """Per Einsum, the tensors touched earlier and later."""
    result = []
    for i, own in enumerate(problem_tensors):
        earlier = {t for ts in problem_tensors[:i] for t in ts}
        later = {t for ts in problem_tensors[i + 1 :] for t in ts}
        result.append(Turn(frozenset(t for t in own if t in earlier), frozenset(t for t in own if t in later)))
    return result


class Fold:
    """Joins pmappings step by step; each step keeps what the later ones can still ask for."""

    def __init__(self, pmappings: PmappingSet) -> None:
        self.pmappings = pmappings
        einsums = pmappings.einsums
        shape = einsums[0].shape
        self.memories = shape.memories
        self.levels = shape.depth + 1
        self.sizes = np.array([_size(einsums, m) for m in self.memories])
        self.turns = turns([e.shape.shared for e in einsums])
        self.combined = 0
        self._bits: dict[TensorReservation, float] = {}

    def run(self, progress: Callable[[str], None] | None = None) -> State:
        """Fold all Einsums; the last state has one group at most, its rows are whole mappings."""
        width = 2 + 2 * self.levels * len(self.memories)
        state = State([()], np.array([0, 1]), np.zeros((1, width)), np.zeros((1, 2), np.int64), None)
        for step in range(len(self.pmappings.einsums)):
            state = self._step(state, step)
            if progress is not None:
                name = self.pmappings.einsums[step].einsum.name
                progress(f"joined {name}: {len(state.keys)} groups, {len(state.values)} partial mappings")
        return state

    def _step(self, left: State, step: int) -> State:
        right = self.pmappings.einsums[step]
        turn = self.turns[step]
        faces = [self._interface(right, c, turn) for c in compatibilities(right)]
        pairs, keys = self._match(left, faces, turn)
        last = step == len(self.pmappings.einsums) - 1
        offsets, values, who, combined = join_rows(
            left.offsets, left.values, right.offsets, right.rows.values, pairs, self.sizes * (1 + 1e-9), self.levels, last
        )
        self.combined += combined
        return _drop_empty(State(keys, offsets, values, who, left))

    def _interface(self, right: EinsumPmappings, compatibility: Compatibility, turn: Turn) -> Interface:
        known = tuple(t for t in compatibility.tensors if t.name in turn.before)
        later = tuple(t for t in compatibility.tensors if t.name in turn.after)

        def footprint(t: TensorReservation) -> tuple[str, int, float]:
            bits = reserved_bits(right.einsum, t, compatibility.nest)
            self._bits[t] = max(bits, self._bits.get(t, 0.0))
            return (t.memory, t.depth, bits)

        return Interface(
            tuple(sorted(known, key=_name)),
            later,
            tuple(loop.trips for loop in compatibility.nest),
            max((t.depth for t in later), default=0),
            tuple(footprint(t) for t in compatibility.tensors if t.name not in turn.before),
            tuple(footprint(t) for t in compatibility.tensors if t.name not in turn.after),
        )

    def _match(self, left: State, faces: Sequence[Interface], turn: Turn) -> tuple[PairTable, list[Key]]:
        by_known: dict[Key, list[int]] = {}
        for g, face in enumerate(faces):
            by_known.setdefault(face.known, []).append(g)
        groups: dict[Key, list[tuple[int, int]]] = {}
        for lg, key in enumerate(left.keys):
            known = tuple(sorted((t for t in key if t.name in turn.before), key=_name))
            staying = tuple(t for t in key if t.name in turn.after or t.name not in turn.before)
            trips = _trips(key)
            depth = max((t.depth for t in staying), default=0)
            passing = tuple(t for t in key if t.name not in turn.before)
            for rg in by_known.get(known, ()):
                face = faces[rg]
                common = min(len(trips), len(face.trips))
                if trips[:common] == face.trips[:common] and depth <= face.reach:
                    groups.setdefault(_merge(passing, face.later), []).append((lg, rg))
        return self._table(left, faces, turn, groups), list(groups)

    def _table(
        self, left: State, faces: Sequence[Interface], turn: Turn, groups: dict[Key, list[tuple[int, int]]]
    ) -> PairTable:
        pairs = np.array([p for ps in groups.values() for p in ps], np.int64).reshape(-1, 2)
        counts = [len(ps) for ps in groups.values()]
        depth_left = np.array([len(_trips(k)) for k in left.keys])
        out = [len(_trips(k)) for k in groups]
        live = np.stack([self._live(k, turn) for k in left.keys]) if left.keys else np.zeros((0, len(self.memories)))
        fresh = self._by_level([f.fresh for f in faces])
        dying = self._by_level([f.dying for f in faces])
        return PairTable(
            left=pairs[:, 0].copy(),
            right=pairs[:, 1].copy(),
            offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            depth_in=depth_left[pairs[:, 0]] if len(pairs) else np.zeros(0, np.int64),
            depth_out=np.repeat(np.array(out, np.int64), counts),
            live=live[pairs[:, 0]],
            fresh=fresh[pairs[:, 1]],
            dying=dying[pairs[:, 1]],
        )

    def _live(self, key: Key, turn: Turn) -> Floats:
        bits = np.zeros(len(self.memories))
        for t in key:
            if t.name not in turn.before and t.memory in self.memories:
                bits[self.memories.index(t.memory)] += self._bits[t]
        return bits

    def _by_level(self, footprints: Sequence[Sequence[tuple[str, int, float]]]) -> Floats:
        result = np.zeros((len(footprints), len(self.memories), self.levels))
        for g, items in enumerate(footprints):
            for memory, level, bits in items:
                if memory in self.memories:
                    result[g, self.memories.index(memory), max(0, level + 1) :] += bits
        return result


def _trips(key: Key) -> tuple[int, ...]:
    """Trip counts of the deepest loop list among live tensors."""
    deepest = max(key, key=lambda t: len(t.loops), default=None)
    return () if deepest is None else tuple(loop.trips for loop in deepest.loops)


def _name(t: TensorReservation) -> str:
    return t.name


def _merge(passing: Key, later: Key) -> Key:
    return tuple(sorted((*passing, *later), key=_name))


def _size(einsums: Sequence[EinsumPmappings], memory: str) -> float:
    return min(c.size for e in einsums for t in e.templates for c in t.components if c.name == memory)


def _drop_empty(state: State) -> State:
    counts = np.diff(state.offsets)
    keep = np.flatnonzero(counts)
    offsets = np.concatenate([[0], np.cumsum(counts[keep])]).astype(np.int64)
    return State([state.keys[int(g)] for g in keep], offsets, state.values, state.who, state.before)


def mappings_of(final: State, pmappings: PmappingSet) -> list[JoinedMapping]:
    """The joined mappings of the last state, each traced back to one row per Einsum."""
    result = []
    for row in range(len(final.values)):
        rows: list[int] = []
        state: State | None = final
        at = row
        while state is not None and state.before is not None:
            rows.append(int(state.who[at, 1]))
            at = int(state.who[at, 0])
            state = state.before
        rows.reverse()
        nests = tuple(nest_of_row(e, r) for e, r in zip(pmappings.einsums, rows, strict=True))
        result.append(JoinedMapping(float(final.values[row, 0]), float(final.values[row, 1]), nests, tuple(rows)))
    return sorted(result, key=lambda m: (m.energy, m.latency))
