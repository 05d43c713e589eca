"""What hardware and evaluation tell about a mapping: sizes of memories, fanouts, costs, how full everything is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import attrs

from ffcore.errors import FFError
from ffcore.mapping.tree import Branch, MappingTree, Storage, Toll, branches
from ffcore.model.types import JointEvaluation
from ffcore.spec.problem import Component, ComponentKind, EinsumProblem, Problem
from ffcore.units import Dimension, format_quantity


@attrs.frozen
class LevelView:
    """A component that holds tensors (a Toll: lets them pass); ``size`` is of one instance, in human units."""

    name: str
    size: str = ""  # empty where it is not known
    bounded: bool = True  # False: known to have room for everything


@attrs.frozen
class CostView:
    """One Einsum's part of the whole; ``fullness`` maps memories to the share in use while it runs."""

    energy: float  # J
    latency: float  # s
    energy_share: float
    latency_share: float
    bottleneck: str = ""  # the component that the Einsum waits for
    fullness: Mapping[str, float] = attrs.field(factory=dict)


@attrs.frozen
class NumbersView:
    """What a mapping costs: energy in J, latency in s, the parts of its Einsums, memories' fullest moments."""

    energy: float
    latency: float
    costs: Mapping[str, CostView]
    fullest: Mapping[str, float]  # memory -> greatest share in use

    @property
    def title(self) -> str:
        """Energy, latency and their product in human units."""
        parts = (
            ("energy", self.energy, Dimension.ENERGY),
            ("latency", self.latency, Dimension.TIME),
            ("energy-delay product", self.energy * self.latency, Dimension.ENERGY_DELAY),
        )
        return " · ".join(f"{name} {format_quantity(value, unit)}" for name, value, unit in parts).replace("J*s", "J·s")


@attrs.frozen
class Hardware:
    """What the architecture tells about the components that a mapping names."""

    levels: tuple[LevelView, ...]
    fanouts: Mapping[tuple[str, str], int]  # (component, dimension) -> instances
    widths: Mapping[tuple[str, str], float]  # (component, tensor) -> bits per value, where the component has its own


def hardware_of(tree: MappingTree, problem: Problem | None) -> Hardware:
    """Holders from the outermost in, with sizes and fanouts as far as ``problem`` knows them."""
    order: dict[str, LevelView] = {}
    fanouts: dict[tuple[str, str], int] = {}
    widths: dict[tuple[str, str], float] = {}
    for branch in branches(tree):
        used = [n.component for n in branch.nodes if isinstance(n, Storage | Toll)]
        for component in _components(branch, problem):
            for dimension in component.spatial:
                fanouts[component.name, dimension.name] = dimension.fanout
            widths.update({(component.name, tensor): bits for tensor, bits in component.bits_per_value.items()})
            if component.name in used and component.name not in order:
                order[component.name] = _level(component)
    for branch in branches(tree):  # those of which only the name is known
        for node in branch.nodes:
            if isinstance(node, Storage | Toll):
                order.setdefault(node.component, LevelView(node.component))
    return Hardware(tuple(order.values()), fanouts, widths)


def _level(component: Component) -> LevelView:
    if component.kind is ComponentKind.TOLL:
        return LevelView(component.name)
    return LevelView(component.name, format_quantity(component.size, Dimension.SIZE), math.isfinite(component.size))


def _components(branch: Branch, problem: Problem | None) -> Iterator[Component]:
    """The components on the way to an Einsum's compute; nothing for an Einsum or compute of another problem."""
    einsum = problem.einsum.get(branch.compute.einsum) if problem is not None else None
    if einsum is None:
        return
    path = next((p for p in einsum.paths if p.names[-1] == branch.compute.component), None)
    held = _held(branch, einsum)
    for index in range(len(path.names) if path is not None else 0):
        assert path is not None
        try:
            yield path.component(index, held)
        except FFError:
            continue  # a field that this mapping leaves without a value


def _held(branch: Branch, einsum: EinsumProblem) -> dict[str, frozenset[str]]:
    held: dict[str, frozenset[str]] = {}
    for node in branch.nodes:
        if isinstance(node, Storage | Toll) and (node.einsums is None or einsum.name in node.einsums):
            own = frozenset(a for name in node.tensors for a in einsum.read_as.get(name, ()))
            held[node.component] = held.get(node.component, frozenset()) | own
    return held


def numbers_of(evaluation: JointEvaluation) -> NumbersView:
    """The numbers of a picture: shares of the total, bottlenecks, how full each memory is."""
    energy, latency = evaluation.total_energy, evaluation.total_latency
    costs = {}
    for nest in evaluation.evaluations:
        slowest = max(nest.latency, key=lambda name: nest.latency[name], default="")
        costs[nest.einsum] = CostView(
            nest.total_energy,
            nest.total_latency,
            nest.total_energy / energy if energy else 0.0,
            nest.total_latency / latency if latency else 0.0,
            slowest if nest.total_latency else "",
            {memory: share for (name, memory), share in evaluation.share.items() if name == nest.einsum},
        )
    fullest = {memory: peak.share for memory, peak in evaluation.peaks.items()}
    return NumbersView(energy, latency, costs, fullest)
