"""What an architecture's components are, hold and allow, in numbers: one Einsum's view of them.

`ffcore.spec.problem`, from which all is imported, says who reads these types.
"""

from __future__ import annotations

import enum
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

import attrs

from ffcore.spec.tensors import TENSORS, VARIABLES, Tensor
from ffcore.tolerances import FANOUT

INFINITY = float("inf")


class ComponentKind(enum.Enum):
    """What a component does: hold, pass on, spread out or compute."""

    MEMORY = "memory"
    TOLL = "toll"
    CONTAINER = "container"  # spatial fanout only (Container, Array, a Network without hops)
    NETWORK = "network"
    COMPUTE = "compute"


MAX_HOPS = "max_hops"
MAX_LINK_TRAFFIC = "max_link_traffic"
"""What the time of a network depends on: links to its furthest instance, and hops over its busiest link."""


@attrs.frozen
class Action:
    """One action of a component (``read``, ``write``, ``hop``, ``compute``)."""

    name: str
    energy: float  # J per action, scales applied
    # Per tensor of this Einsum; 1 for ``compute``.
    values_per_action: Mapping[str, float] = attrs.field(metadata=TENSORS)


_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_PRODUCT = "product"
OPERATORS = tuple(_COMPARE)
ALL_OPERATORS = (*OPERATORS, *(f"{_PRODUCT}{o}" for o in OPERATORS))


@attrs.frozen
class Bound:
    """A limit on some numbers, one of each rank variable: trips of loops (`LoopBound`) or a tile (`TileShape`).

    A plain operator speaks of each number on its own, ``product`` of all of them together. The empty
    case: where no number is spoken of, a plain operator holds and the product is 1.
    """

    variables: frozenset[str] = attrs.field(metadata=VARIABLES)
    operator: str  # one of == != < <= > >= product== product!= product< product<= product> product>=
    value: float

    @property
    def of_product(self) -> bool:
        """Is it the product of the numbers that is limited?"""
        return self.operator.startswith(_PRODUCT)

    def allows(self, numbers: Iterable[float]) -> bool:
        """Does the limit hold for these numbers of ``variables``?

        >>> LoopBound(frozenset("mk"), ">=", 2).allows((2, 1))
        False
        >>> LoopBound(frozenset("mk"), "product>=", 2).allows((2, 1))
        True
        """
        compare = _COMPARE[self.operator.removeprefix(_PRODUCT)]
        if self.of_product:
            return compare(math.prod(numbers), self.value)
        return all(compare(n, self.value) for n in numbers)


@attrs.frozen
class LoopBound(Bound):
    """``spatial.loop_bounds``: limits how often loops over some variables run in one dimension.

    It speaks of the loops that may stand there (`EinsumProblem.spatial_candidates`), whether they run more than
    once or not; a variable without a loop there runs once, which a plain operator does not see.
    """

    @property
    def removes_loops(self) -> bool:
        """Does it rule out every loop over its variables, so that no other bound speaks of them?"""
        return self.value == 1 and self.operator.removeprefix(_PRODUCT) in ("==", "<=")


@attrs.frozen
class SpatialDimension:
    """One dimension of a component's array, and what may run across it."""

    name: str
    fanout: int
    # Tensors: no spatial loop over any of their rank variables.
    reuse: frozenset[str] = attrs.field(metadata=TENSORS)
    # Tensors whose traffic multicast or spatial reduction may save.
    may_reuse: frozenset[str] = attrs.field(metadata=TENSORS)
    min_usage: float = 0.0
    usage_scale: float = 1.0
    power_gateable: bool = False
    loop_bounds: tuple[LoopBound, ...] = ()

    def usage(self, trips: int) -> float:
        """Share of the dimension that loops with this product of trips use."""
        return trips / self.fanout * self.usage_scale

    @property
    def most(self) -> float:
        """The product of trips may not exceed this: as trips are integers, a whole number (or infinity)."""
        most = self.fanout / self.usage_scale * FANOUT
        return float(math.floor(most)) if math.isfinite(most) else most

    def rank(self, trips: int) -> float:
        """What ``min_usage`` makes of this product of trips: more is preferred; all that reach it are alike."""
        usage = self.usage(trips)
        return self.min_usage if usage * FANOUT >= self.min_usage else usage


@attrs.frozen
class TileShape(Bound):
    """``tensors.tile_shape``: limits the tile (in a rank variable's extent) held by a memory.

    It speaks of those of its variables that index the tensor held.
    """


@attrs.frozen
class Holding:
    """Which tensors a memory (or Toll) may hold, given what the memories above it hold."""

    must: frozenset[str] = attrs.field(metadata=TENSORS)  # keep | back, minus bypass
    may: frozenset[str] = attrs.field(metadata=TENSORS)  # may_keep minus must, minus bypass
    back: frozenset[str] = attrs.field(default=frozenset(), metadata=TENSORS)
    no_refetch_from_above: frozenset[str] = attrs.field(default=frozenset(), metadata=TENSORS)
    no_resend_to_below: frozenset[str] = attrs.field(default=frozenset(), metadata=TENSORS)
    # Each option: tuple of groups, outermost first; None: any order.
    tensor_order_options: tuple[tuple[frozenset[str], ...], ...] | None = attrs.field(default=None, metadata=TENSORS)
    tile_shape: tuple[TileShape, ...] = ()
    force_memory_hierarchy_order: bool = True


@attrs.frozen
class Component:
    """One architecture node on an Einsum's root-to-compute path, all fields evaluated."""

    name: str
    kind: ComponentKind
    actions: tuple[Action, ...] = ()
    # ``total_latency`` as the maximum of linear forms: each maps action name -> seconds per call
    # (calls per instance); of a network ``MAX_HOPS`` and ``MAX_LINK_TRAFFIC`` -> seconds each. Empty: takes no time.
    latency: tuple[Mapping[str, float], ...] = ()
    spatial: tuple[SpatialDimension, ...] = ()
    # Memories spread over an Array: of its dimensions, how many instances divide them; ``array``: its name, also of
    # other memories inside of such an Array. See docs/howto/networks.md.
    spread: tuple[SpatialDimension, ...] = ()
    array: str = ""
    size: float = INFINITY  # bits, per instance (memories)
    holding: Holding | None = None  # memories and tolls
    # Tolls: tensors that pass for free in a direction; all others cost a read.
    free_up: frozenset[str] = attrs.field(default=frozenset(), metadata=TENSORS)
    free_down: frozenset[str] = attrs.field(default=frozenset(), metadata=TENSORS)
    skip_initial_output_write: bool = True
    computes_copies: bool = False  # computes: charged one action per value copied
    all_to_all: bool = False  # networks: every instance is one hop from every other; else a mesh
    # Bits per value of tensors that are wider or narrower in this component than elsewhere.
    bits_per_value: Mapping[str, float] = attrs.field(factory=dict, metadata=TENSORS)

    @cached_property
    def fanout(self) -> int:
        """Own fanout: the product over spatial dimensions."""
        result = 1
        for dimension in self.spatial:
            result *= dimension.fanout
        return result

    @property
    def lines(self) -> tuple[SpatialDimension, ...]:
        """What loops of one tensor may run across: its own dimensions, or its instances along those of an Array."""
        return self.spatial or self.spread

    def width(self, tensor: Tensor) -> float:
        """Bits that one value of ``tensor`` takes in this component."""
        return self.bits_per_value.get(tensor.name, tensor.bits_per_value)

    def action(self, name: str) -> Action | None:
        return next((a for a in self.actions if a.name == name), None)
