"""All that a report shows: plain numbers in SI units (J, s, bit), in the order in which they are shown.

Names of Einsums, tensors and components are text of a stranger's spec: whoever draws them must escape them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ffcore.plugin import MappingView, Point


@attrs.frozen
class EinsumFacts:
    """One Einsum: computes of all instances (none for a copy), and the tensors that it reads and writes."""

    name: str
    computes: float
    is_copy: bool
    reads: tuple[str, ...]
    writes: tuple[str, ...]


@attrs.frozen
class TensorFacts:
    """One tensor: its size in bits, and whether several Einsums touch it (so that it may be fused)."""

    name: str
    bits: float
    shared: bool


@attrs.frozen
class EnergyPart:
    """Energy (J) of one action; ``tensor`` is None for computes and leakage. All parts add up to the total."""

    einsum: str
    component: str
    tensor: str | None
    action: str
    energy: float


@attrs.frozen
class EinsumLatency:
    """How long an Einsum takes (s), the component that makes it so, and how long each component is busy (s)."""

    einsum: str
    latency: float
    bottleneck: str  # empty where nothing takes time
    busy: Mapping[str, float]


@attrs.frozen
class Kept:
    """One tensor's tile that a memory keeps; ``level``: loops above it that run more than once, -1 if persistent."""

    tensor: str
    bits: float
    level: int
    shared: bool  # kept for another Einsum too


@attrs.frozen
class Moment:
    """What one instance of a memory keeps while an Einsum runs; ``size`` in bits, as this Einsum sees it."""

    einsum: str
    size: float
    bits: float
    share: float
    kept: tuple[Kept, ...]


@attrs.frozen
class Occupancy:
    """One memory of limited size over the Einsums: a moment for each, in workload order."""

    memory: str
    moments: tuple[Moment, ...]


@attrs.frozen
class SpatialUse:
    """Share of a component's dimension that an Einsum uses, 0 to 1."""

    einsum: str
    component: str
    dimension: str
    share: float


@attrs.frozen
class Slope:
    """One memory (or toll) in a roofline: what was moved there, and how fast it can be.

    ``bandwidth``: bit/s of all instances, for the mix of reads and writes at hand. ``intensity``: computes per bit.
    """

    component: str
    bits: float
    bandwidth: float
    intensity: float

    @property
    def ceiling(self) -> float:
        """Computes/s that the memory can feed."""
        return self.intensity * self.bandwidth


@attrs.frozen
class RooflinePoint:
    """Where an Einsum (or all of them: ``einsum`` is empty) stands below its roofs.

    ``performance`` and ``peak`` in computes/s, of all instances. ``binding`` names the lowest roof; what lies
    between it and the performance is lost to idle instances or, over the whole, to Einsums that do not overlap.
    """

    einsum: str
    computes: float
    performance: float
    compute: str  # the component that computes; several of them: separated by slashes
    peak: float
    slopes: tuple[Slope, ...]
    binding: str

    @property
    def roof(self) -> float:
        """The lowest roof, in computes/s."""
        return min([self.peak, *(s.ceiling for s in self.slopes)])


@attrs.frozen
class Roofline:
    """Each Einsum that computes, and the whole (None where nothing computes or nothing takes time)."""

    einsums: tuple[RooflinePoint, ...]
    whole: RooflinePoint | None


@attrs.frozen
class MappingDetail:
    """All about one mapping."""

    point: Point
    view: MappingView
    energy: tuple[EnergyPart, ...]
    latency: tuple[EinsumLatency, ...]
    occupancy: tuple[Occupancy, ...]
    spatial: tuple[SpatialUse, ...]
    roofline: Roofline


@attrs.frozen
class Unfused:
    """The best mappings that keep every shared tensor in the outermost memory.

    ``best`` is the one of least energy-delay product; None where there is none, and ``note`` says why.
    """

    points: tuple[Point, ...] = ()
    best: MappingDetail | None = None
    note: str = ""


@attrs.frozen
class ReportData:
    """A set of mappings of one workload.

    ``details`` holds at most so many mappings as a report can show, in the order of their numbers; ``points`` all of
    them. ``best`` is the number of the mapping of least energy-delay product. ``stats`` and ``run`` are what is known
    of the search and of the process: text, numbers, and mappings and lists of them.
    """

    title: str
    einsums: tuple[EinsumFacts, ...]
    tensors: tuple[TensorFacts, ...]
    components: tuple[str, ...]  # that cost energy or time or hold anything, outermost first
    points: tuple[Point, ...]
    details: tuple[MappingDetail, ...]
    best: int
    unfused: Unfused
    stats: Mapping[str, Any]
    run: Mapping[str, Any]
