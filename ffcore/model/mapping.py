"""Evaluate a whole mapping: do the Einsums' nests fit together, and what do they cost (semantics, section 4)?"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ffcore.mapping.nest import Nest
from ffcore.mapping.paths import MappingError, deepest_alive
from ffcore.model.evaluate import evaluate_nest
from ffcore.model.types import JointEvaluation, LoopAbove, NestEvaluation, Peak, Reservation
from ffcore.spec.problem import Problem
from ffcore.tolerances import FITS
from ffcore.units import exact_size


class IncompatibleNestsError(MappingError):
    """The nests of two Einsums cannot be part of one mapping; the message says why."""


def evaluate_joint(problem: Problem, nests: Sequence[Nest]) -> JointEvaluation:
    """Cost of the mapping that runs ``nests``, one for each Einsum in workload order.

    The loops are taken in the order in which they are given: no permutation is tried. Raises
    MappingError if a nest does not fit its Einsum and IncompatibleNestsError if the nests do not fit
    each other. A memory that is too small raises nothing: see ``overflows`` of the result.
    """
    expected = [e.name for e in problem.einsums]
    if [n.einsum for n in nests] != expected:
        raise MappingError(
            f"a mapping needs one nest for each Einsum in workload order ({', '.join(expected)}), "
            f"not {', '.join(n.einsum for n in nests) or 'none'}"
        )
    return join_evaluations(problem, [evaluate_nest(e, n) for e, n in zip(problem.einsums, nests, strict=True)])


def join_evaluations(problem: Problem, evaluations: Sequence[NestEvaluation]) -> JointEvaluation:
    """As `evaluate_joint`, for nests that are evaluated already."""
    chain = _Chain.of(problem, evaluations)
    reason = chain.mismatch()
    if reason is not None:
        raise IncompatibleNestsError(reason)
    return chain.result()


def mismatch(problem: Problem, evaluations: Sequence[NestEvaluation]) -> str | None:
    """Why these nests cannot be joined, or None if they can."""
    return _Chain.of(problem, evaluations).mismatch()


def kept_while_running(problem: Problem, evaluations: Sequence[NestEvaluation]) -> list[dict[str, list[Reservation]]]:
    """Per Einsum in workload order, what each memory keeps while it runs: `JointEvaluation.usage`, item by item.

    The nests must fit each other.
    """
    return _Chain.of(problem, evaluations).alive_by_memory()


def fused_loops(reservation: Reservation) -> tuple[LoopAbove, ...]:
    """The loops above a backing reservation that its tensor's Einsums share; none if persistent."""
    return () if reservation.persistent else reservation.loops


@attrs.frozen
class _Chain:
    """The Einsums in order, and for each shared tensor the Einsums (by place) that touch it."""

    names: tuple[str, ...]
    evaluations: tuple[NestEvaluation, ...]
    users: dict[str, list[int]]  # shared tensors, in order of first use
    touched: list[list[str]]  # per Einsum, the shared tensors that it touches, in that order

    @classmethod
    def of(cls, problem: Problem, evaluations: Sequence[NestEvaluation]) -> _Chain:
        users: dict[str, list[int]] = {}
        for place, einsum in enumerate(problem.einsums):
            for name in einsum.names:
                users.setdefault(name, []).append(place)
        shared = {t: places for t, places in users.items() if len(places) > 1}
        touched: list[list[str]] = [[] for _ in problem.einsums]
        for tensor_name, places in shared.items():
            for place in places:
                touched[place].append(tensor_name)
        return cls(tuple(e.name for e in problem.einsums), tuple(evaluations), shared, touched)

    def backing(self, tensor: str) -> Reservation:
        return self.evaluations[self.users[tensor][0]].backing[tensor]

    def alive(self, *, beyond: bool) -> list[str | None]:
        """Per Einsum, the deepest of the shared tensors that an earlier Einsum touched and that are needed still.

        ``beyond``: by an Einsum after this one; else by this one or one after it.
        """
        tensors = list(self.users)
        spans = [(self.users[t][0], self.users[t][-1] - beyond, self.backing(t).depth) for t in tensors]
        return [None if i is None else tensors[i] for i in deepest_alive(len(self.names), spans)]

    # -- matching ---------------------------------------------------------------------------------

    def mismatch(self) -> str | None:
        for tensor in self.users:
            reason = self._tensor_mismatch(tensor)
            if reason is not None:
                return reason
        beyond, alive = self.alive(beyond=True), self.alive(beyond=False)
        for right in range(1, len(self.names)):
            reason = self._order_mismatch(right, beyond[right], alive[right])
            if reason is not None:
                return reason
        return None

    def _tensor_mismatch(self, tensor: str) -> str | None:
        """All Einsums that touch ``tensor`` must keep it in the same memory below the same loops."""
        first, *others = self.users[tensor]
        expected = self.evaluations[first].backing[tensor]
        for other in others:
            found = self.evaluations[other].backing[tensor]
            pair = f"{tensor} does not match: Einsum {self.names[first]} keeps it {{}}, Einsum {self.names[other]} {{}}"
            if found.component != expected.component:
                return pair.format(f"in {expected.component}", f"in {found.component}")
            if found.persistent != expected.persistent:
                words = {True: "persistently", False: "for a time"}
                return pair.format(words[expected.persistent], words[found.persistent])
            if [x.key for x in found.loops] != [x.key for x in expected.loops]:
                return pair.format(_below(expected), _below(found))
        return None

    def _order_mismatch(self, right: int, beyond: str | None, alive: str | None) -> str | None:
        """The dataflow that joining Einsum ``right`` to all before it must be able to carry on.

        ``beyond``, ``alive``: the deepest tensor from before that is needed after it, and in it or after it.
        """
        deepest_left = self._depth([beyond] if beyond is not None else [])
        deepest_right = self._depth([t for t in self.touched[right] if self.users[t][-1] > right])
        if deepest_left > deepest_right:
            return (
                f"{beyond} lies below {deepest_left} loops that Einsum {self.names[right]} would have to carry on, "
                f"but what it shares with later Einsums lies below {deepest_right}"
            )
        left, mine = self._deepest([alive] if alive is not None else []), self._deepest(self.touched[right])
        for depth, (a, b) in enumerate(zip(left, mine, strict=False)):
            if a.trips != b.trips:
                return (
                    f"fused loop {depth + 1} runs {a.trips} times before Einsum {self.names[right]} "
                    f"(over {a.variable}), but {b.trips} times in it (over {b.variable})"
                )
        return None

    def _depth(self, tensors: Sequence[str]) -> int:
        return max((self.backing(t).depth for t in tensors), default=0)

    def _deepest(self, tensors: Sequence[str]) -> tuple[LoopAbove, ...]:
        return max((fused_loops(self.backing(t)) for t in tensors), key=len, default=())

    # -- usage ------------------------------------------------------------------------------------

    def result(self) -> JointEvaluation:
        usage: dict[tuple[str, str], float] = {}
        share: dict[tuple[str, str], float] = {}
        peaks: dict[str, Peak] = {}
        overflows: dict[str, str] = {}
        for name, kept in zip(self.names, self.alive_by_memory(), strict=True):
            for memory, alive in kept.items():
                bits, part, fits = _fill(alive)
                usage[name, memory], share[name, memory] = bits, part
                peak = peaks.get(memory)
                if peak is None or (part, bits) > (peak.share, peak.bits):
                    peaks[memory] = Peak(name, bits, part)
                    if not fits:
                        size = min(r.size for r in alive)
                        overflows[memory] = (
                            f"{memory} is too small: while Einsum {name} runs it must keep {exact_size(bits)}, "
                            f"but has {exact_size(size)}"
                        )
        return JointEvaluation(self.evaluations, usage, share, peaks, tuple(overflows.values()))

    def alive_by_memory(self) -> list[dict[str, list[Reservation]]]:
        """Per running Einsum and memory, all that is kept; a shared tensor's backing counts once, at its largest.

        Time: that of writing down the result.
        """
        alone: list[list[Reservation]] = [[] for _ in self.names]
        shared: list[dict[str, Reservation]] = [{} for _ in self.names]
        for tensor, places in self.users.items():
            largest = max((self.evaluations[p].backing[tensor] for p in places), key=lambda r: r.bits)
            for running in range(places[0] + 1, places[-1]):
                shared[running][tensor] = largest
        joins = [0 if t is None else self.backing(t).depth for t in self.alive(beyond=False)]
        for place, evaluation in enumerate(self.evaluations):
            for r in evaluation.reservations:
                for running in self._stays(place, r.level, joins):
                    if not (r.backing and r.tensor in self.users):
                        alone[running].append(r)
                        continue
                    before = shared[running].get(r.tensor)
                    shared[running][r.tensor] = r if before is None or r.bits > before.bits else before
        result: list[dict[str, list[Reservation]]] = [{} for _ in self.names]
        for running, kept in enumerate(result):
            for r in (*alone[running], *shared[running].values()):
                kept.setdefault(r.component, []).append(r)
        return result

    def _stays(self, place: int, level: int, joins: Sequence[int]) -> range:
        """The Einsums during which a reservation of Einsum ``place`` at ``level`` is kept.

        Two Einsums share the least of the loops of the joins between them (``joins[i]``: of Einsum i with those
        before it); at or below the last loop that they share, their tiles alternate in time.
        """
        first = last = place
        while first > 0 and joins[first] > level:
            first -= 1
        while last + 1 < len(joins) and joins[last + 1] > level:
            last += 1
        return range(first, last + 1)


def memory_overflows(evaluation: NestEvaluation) -> list[str]:
    """One sentence for each memory that is too small for this Einsum on its own."""
    result = []
    for memory in evaluation.usage:
        own = [r for r in evaluation.reservations if r.component == memory]
        bits, _, fits = _fill(own)
        if not fits:
            result.append(
                f"Einsum {evaluation.einsum}: {memory} is too small: {bits:.15g} bits are needed, "
                f"but it has {own[0].size:.15g}"
            )
    return result


def _fill(alive: Sequence[Reservation]) -> tuple[float, float, bool]:
    """Bits and share that the reservations take of one memory, and whether they fit."""
    bits = sum(r.bits for r in alive)
    sizes = {r.size for r in alive if r.bits > 0}
    if len(sizes) == 1:
        (size,) = sizes
        return bits, (bits / size if size > 0 else float("inf")), bits <= size * FITS
    # Einsums may see different sizes (a size may be an expression): then only shares add up.
    share = sum(r.share for r in alive)
    return bits, share, share <= FITS


def _below(reservation: Reservation) -> str:
    if not reservation.loops:
        return "above all loops"
    words = [
        f"{'spatial ' if x.spatial else ''}{'/'.join(x.ranks) or x.variable} x{x.trips} (tile {x.tile})"
        for x in reservation.loops
    ]
    return f"below {', '.join(words)}"
