"""How full the memories are while each Einsum of a joined mapping runs, by definition (semantics, section 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ffcore.plugin import Peak, Problem, Reservation

Occupancy = dict[str, tuple[float, float]]  # memory -> (bits, share of its size)


def users_of_shared(problem: Problem) -> dict[str, list[int]]:
    """Shared tensor -> indices of the Einsums that touch it, ascending."""
    users: dict[str, list[int]] = {}
    for index, einsum in enumerate(problem.einsums):
        for tensor in einsum.tensors:
            if tensor.name in einsum.shared:
                users.setdefault(tensor.name, []).append(index)
    return users


def common_loops(depths: Sequence[int], e: int, f: int) -> int:
    """s(e, f): the fewest loops shared over the joins from e + 1 to f; ``depths[i]`` is d of the
    join of Einsum i (``depths[0]`` is not used)."""
    first, last = min(e, f), max(e, f)
    return min(depths[first + 1 : last + 1])


def occupancy(
    users: Mapping[str, Sequence[int]], reservations: Sequence[Sequence[Reservation]], depths: Sequence[int], e: int
) -> Occupancy:
    """What every memory holds while Einsum ``e`` runs, with the Einsums joined so far."""
    total: Occupancy = {}
    counted: dict[str, Reservation] = {}  # backing reservations of shared tensors, each once
    for f, own in enumerate(reservations):
        for r in own:
            alive = f == e or r.level < common_loops(depths, e, f)
            if not (r.backing and r.tensor in users):
                if alive:
                    _add(total, r)
            elif alive or users[r.tensor][0] < e < users[r.tensor][-1]:
                counted[r.tensor] = max(counted.get(r.tensor, r), r, key=lambda x: (x.share, x.bits))
    for r in counted.values():
        _add(total, r)
    return total


def _add(total: Occupancy, r: Reservation) -> None:
    bits, share = total.get(r.component, (0.0, 0.0))
    total[r.component] = bits + r.bits, share + r.share


def peaks(problem: Problem, reservations: Sequence[Sequence[Reservation]], depths: Sequence[int]) -> dict[str, Peak]:
    """Memory -> its fullest moment in a complete mapping."""
    users = users_of_shared(problem)
    result: dict[str, Peak] = {}
    for e, einsum in enumerate(problem.einsums):
        for memory, (bits, share) in occupancy(users, reservations, depths, e).items():
            if memory not in result or (share, bits) > (result[memory].share, result[memory].bits):
                result[memory] = Peak(einsum.name, bits, share)
    return result
