"""What the model says of one mapped Einsum and of a whole mapping. SI units; sizes in bits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import NamedTuple

import attrs

LEAK = "leak"  # the action name that leakage energy is booked under


class ActionKey(NamedTuple):
    """What an action is booked under; ``tensor`` is None for computes and leakage."""

    component: str
    tensor: str | None
    action: str


class ActionCount(NamedTuple):
    """Net number of actions of one instance of the Einsum (``n_instances`` not applied).

    ``total`` counts all instances of the component and, with imperfect factors, the fraction of
    work that is really done; ``per_instance`` is what one instance spends time on (ceilings).
    """

    total: float
    per_instance: float


@attrs.frozen
class LoopAbove:
    """A loop that runs more than once and stands above a reservation, in its tensor's own nest."""

    variable: str  # of the Einsum; other Einsums may name the same rank otherwise
    ranks: tuple[str, ...]  # of the tensor, indexed by ``variable`` alone; empty if it does not
    trips: int
    tile: int  # extent of ``variable`` that one iteration covers
    spatial: bool

    @property
    def key(self) -> tuple[tuple[str, ...], int, int, bool]:
        """What two Einsums that share the tensor must agree on."""
        return self.ranks, self.trips, self.tile, self.spatial


@attrs.frozen
class Reservation:
    """The room that one tensor's tile takes in one instance of a memory.

    Where an Einsum reads a tensor with several projections, the backing holder's is the `Union` of all accesses; each
    holder further in has its own, under the tensor's name too.
    """

    tensor: str
    component: str
    bits: float  # of a persistent tensor: for all ``n_instances``
    size: float  # of the memory, as this Einsum sees it, bits
    level: int  # loops above it that run more than once; -1 if persistent
    backing: bool  # of the tensor's outermost memory
    persistent: bool
    loops: tuple[LoopAbove, ...]  # outermost first

    @property
    def share(self) -> float:
        """Share of the memory that is occupied, 0 to 1 if it fits."""
        if self.bits == 0:
            return 0.0
        return self.bits / self.size if self.size > 0 else math.inf

    @property
    def depth(self) -> int:
        """Number of fused loops that the tensor ties together; none if persistent."""
        return max(self.level, 0)


@attrs.frozen
class NestEvaluation:
    """Cost of one Einsum's nest.

    ``energy`` (J) has an entry for each action counted and one ``(component, None, "leak")`` for
    each leaking component; ``latency`` (s) one for each component that takes time. Both are for
    all ``n_instances``; ``actions`` are for one.
    """

    einsum: str
    actions: Mapping[ActionKey, ActionCount]
    energy: Mapping[ActionKey, float]
    latency: Mapping[str, float]
    reservations: tuple[Reservation, ...]  # in the order of the holders
    spatial_usage: Mapping[tuple[str, str], float]  # (component, dimension) -> share of its fanout

    @cached_property
    def total_energy(self) -> float:
        """J, for all instances of the Einsum."""
        return _sum(self.energy.values())

    @cached_property
    def total_latency(self) -> float:
        """s, for all instances: the slowest component, as all overlap."""
        return max(self.latency.values(), default=0.0)

    @cached_property
    def backing(self) -> Mapping[str, Reservation]:
        """Tensor -> reservation of its outermost memory."""
        return {r.tensor: r for r in self.reservations if r.backing}

    @cached_property
    def usage(self) -> Mapping[str, float]:
        """Memory -> bits that this Einsum alone needs: its reservations are all alive at once."""
        result: dict[str, float] = {}
        for r in self.reservations:
            result[r.component] = result.get(r.component, 0) + r.bits
        return result


@attrs.frozen
class Peak:
    """The fullest moment of one memory: which Einsum runs then, and how full it is."""

    einsum: str
    bits: float
    share: float  # of the memory's size


@attrs.frozen
class JointEvaluation:
    """Cost of a whole mapping: one nest for each Einsum, in workload order."""

    evaluations: tuple[NestEvaluation, ...]
    usage: Mapping[tuple[str, str], float]  # (Einsum that runs, memory) -> bits
    share: Mapping[tuple[str, str], float]  # the same as a share of the memory
    peaks: Mapping[str, Peak]  # memory -> its fullest moment
    overflows: tuple[str, ...]  # one sentence for each memory that is too small; empty: it fits

    @cached_property
    def total_energy(self) -> float:
        return _sum(e.total_energy for e in self.evaluations)

    @cached_property
    def total_latency(self) -> float:
        return _sum(e.total_latency for e in self.evaluations)

    @property
    def fits(self) -> bool:
        return not self.overflows

    def peak_bits(self, memory: str) -> float:
        """Bits that ``memory`` needs at its fullest; 0 if nothing is ever kept there."""
        return self.peaks[memory].bits if memory in self.peaks else 0


def _sum(numbers: Iterable[float]) -> float:
    """Exact, and infinite where that is more than a float can hold."""
    try:
        return math.fsum(numbers)
    except OverflowError:
        return math.inf
