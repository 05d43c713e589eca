"""The numbers that the mapper works on: what a spec says of each Einsum, evaluated.

Everything behind the spec stage (templates, model, explorers, joiners, the oracle) reads these
types only; none of it sees YAML, Jinja or an expression. SI units: joules, seconds, bits.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Container, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import attrs

from ffcore.spec.components import ALL_OPERATORS as ALL_OPERATORS
from ffcore.spec.components import INFINITY as INFINITY
from ffcore.spec.components import MAX_HOPS as MAX_HOPS
from ffcore.spec.components import MAX_LINK_TRAFFIC as MAX_LINK_TRAFFIC
from ffcore.spec.components import OPERATORS as OPERATORS
from ffcore.spec.components import Action as Action
from ffcore.spec.components import Bound as Bound
from ffcore.spec.components import Component as Component
from ffcore.spec.components import ComponentKind as ComponentKind
from ffcore.spec.components import Holding as Holding
from ffcore.spec.components import LoopBound as LoopBound
from ffcore.spec.components import SpatialDimension as SpatialDimension
from ffcore.spec.components import TileShape as TileShape
from ffcore.spec.tensors import LABEL, TENSORS, VARIABLES
from ffcore.spec.tensors import NAMES as NAMES
from ffcore.spec.tensors import Named as Named
from ffcore.spec.tensors import RankExpression as RankExpression
from ffcore.spec.tensors import Relevance as Relevance
from ffcore.spec.tensors import Tensor as Tensor
from ffcore.spec.tensors import Union as Union
from ffcore.spec.tensors import rank_values as rank_values
from ffcore.spec.tensors import union_of as union_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    _Floats: TypeAlias = NDArray[np.float64]

Price: TypeAlias = "Callable[[_Floats, _Floats], tuple[_Floats, _Floats]]"
"""(values of one transfer, transfers) -> (J, actions) of one transfer; see `ffcore.model.law.Law`."""

MOST_SIZES = 1 << 20  # sizes of loops over one rank variable that a search can number
MOST_STATES = 1 << 62  # products of such numbers over all rank variables of an Einsum


Held = Mapping[str, frozenset[str]]  # memory -> the tensors it keeps, outermost first


class PathProblem(Protocol):
    """One root-to-compute path of the architecture, seen by one Einsum."""

    @property
    def names(self) -> tuple[str, ...]:
        """Enabled components from the root to the compute (which is last)."""

    def component(self, index: int, held: Held) -> Component:
        """Evaluate a component, given what *every* memory above it keeps. Cheap: memoised."""


@attrs.frozen
class Leak:
    """Leakage of one component of the architecture, used or not."""

    component: str
    power: float  # W, all instances
    gates: tuple[tuple[str, str, int], ...]  # gateable (component, dimension, fanout), own and outer
    off_with: frozenset[str] = frozenset()  # Computes: while one of these runs the Einsum, nothing leaks


class PricingLaw(Protocol):
    """A law of a plugin, see `ffcore.model.law.Law`."""

    def price(self, component: Component, action: str, tensor: Tensor) -> Price | None: ...


@attrs.frozen
class EinsumProblem:
    """One Einsum: its iteration space, its tensors, the paths that it can run on."""

    name: str = attrs.field(metadata=LABEL)
    bounds: Mapping[str, int] = attrs.field(metadata=VARIABLES)  # rank variable -> bound, in order of first use
    tensors: tuple[Tensor, ...]  # inputs in order, then the output(s)
    shared: frozenset[str] = attrs.field(metadata=TENSORS)  # tensors touched by more than one Einsum
    intermediates: frozenset[str] = attrs.field(metadata=TENSORS)  # written by one Einsum and read by another
    paths: tuple[PathProblem, ...]  # one per enabled Compute
    leaks: tuple[Leak, ...] = ()
    is_copy: bool = False
    n_instances: float = 1.0
    law: PricingLaw | None = None  # what accesses cost; None: what the architecture's actions say
    # Rank variables whose outermost loop, temporal or spatial, may have an imperfect tile; see `Problem`.
    imperfect_temporal: frozenset[str] = attrs.field(default=frozenset(), metadata=VARIABLES)
    imperfect_spatial: frozenset[str] = attrs.field(default=frozenset(), metadata=VARIABLES)

    @cached_property
    def tensor(self) -> Mapping[str, Tensor]:
        return {t.name: t for t in self.tensors}

    def written(self, name: str) -> str:
        """What a mapping calls the holder of an access: ``X@1`` for the first of several, ``X``, else its name."""
        return f"{name}@1" if name in self.accesses else name

    @cached_property
    def read_as(self) -> Mapping[str, tuple[str, ...]]:
        """Names that a mapping may hold -> the accesses that they stand for.

        A tensor stands for all of its accesses, ``X@1`` and ``X@2`` for one of several.
        """
        found = {name: self.accesses.get(name, (name,)) for name in self.names}
        found |= {self.written(name): (name,) for names in self.accesses.values() for name in names}
        return found

    @cached_property
    def imperfect(self) -> frozenset[str]:
        """Rank variables that may have imperfect tiles."""
        return self.imperfect_temporal | self.imperfect_spatial

    def bits(self, tensor: Tensor, component: Component, values: Any = 1.0, persistent: bool = False) -> Any:
        """Bits that so many values of a tensor (a number, or an array) take in one instance of a memory.

        ``values``: of the ranks of ``tensor``, which is what a holder keeps: see `kept`. Of a tensor that stays there,
        the values of all instances of the Einsum are kept at once.
        """
        return values * (component.width(tensor) * tensor.times * (self.n_instances if persistent else 1.0))

    def kept(self, name: str, backing: bool) -> Tensor:
        """A tensor as one of its holders keeps it: the backing holder of several accesses keeps their `Union`."""
        tensor = self.tensor[name]
        return tensor.kept if backing else tensor

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The tensors, however often each is read: inputs in order, then the output(s)."""
        return tuple(dict.fromkeys(t.base for t in self.tensors))

    @cached_property
    def accesses(self) -> Mapping[str, tuple[str, ...]]:
        """Tensor -> its accesses, of those that are read with several projections."""
        found: dict[str, tuple[str, ...]] = {}
        for t in self.tensors:
            if t.union is not None:
                found[t.base] = (*found.get(t.base, ()), t.name)
        return found

    def most_bits(self, component: Component, tensors: Iterable[Tensor] | None = None) -> float:
        """The most bits that tensors (default: all) can take of a memory, which holds each at most once."""
        held = self.tensors if tensors is None else tensors
        # The union may be more than all of its parts, as it is taken rank by rank.
        forms = [(t, t.kept) if t.union is not None else (t,) for t in held]
        bits = sum(max(float(self.bits(t, component, t.tile_values(self.bounds))) for t in own) for own in forms)
        return bits * max(1.0, self.n_instances)

    def spatial_candidates(
        self, dimension: SpatialDimension, held: Container[str], outer: Container[str] = ()
    ) -> tuple[str, ...]:
        """Rank variables that may have a loop across a dimension, below the holders of the tensors ``held``.

        Not those that would split an output or intermediate held further in, nor those that ``reuse`` or a bound
        such as ``<= 1`` removes. ``outer``: the tensors that memories above the dimension's component hold; the loop
        stands above the backing holders of all others (each instance has its own), and where that is the one of
        several accesses of a tensor, all of them must be split alike.
        """
        if dimension.fanout == 1:
            return ()
        split = [t for t in self.tensors if (t.output or t.name in self.intermediates) and t.name not in held]
        split += [t for t in self.tensors if t.union is not None and t.name not in outer]
        reused = [self.tensor[name].variables for name in dimension.reuse if name in self.tensor]
        removed = [b.variables for b in dimension.loop_bounds if b.removes_loops]
        return tuple(
            v
            for v in self.bounds
            if all(v in t.split_by for t in split) and not any(v in names for names in (*reused, *removed))
        )


class Metric(enum.Flag):
    """What a search minimises, or keeps apart."""

    ENERGY = enum.auto()
    LATENCY = enum.auto()
    RESOURCE_USAGE = enum.auto()
    ENERGY_DELAY_PRODUCT = enum.auto()
    ACTIONS = enum.auto()


@attrs.frozen
class MapperOptions:
    """The mapper's knobs that change the mapspace or the objective (semantics, section 1)."""

    metrics: Metric = Metric.ENERGY | Metric.LATENCY
    max_fused_loops: float = INFINITY
    max_fused_loops_per_rank_variable: float = 1
    max_loops_per_spatial_dimension: float = INFINITY
    # Rank variables whose outermost loop may have tiles that do not divide the bound; True: all.
    explore_imperfect_temporal_loops: bool | frozenset[str] = False
    explore_imperfect_spatial_loops: bool | frozenset[str] = False
    force_memory_hierarchy_order: bool = True
    objective_tolerance: float = 0.0
    resource_usage_tolerance: float = 0.0
    max_pmapping_templates_per_einsum: float = INFINITY
    time_limit: float = INFINITY  # s
    memory_limit: float = INFINITY  # bytes, of all processes
    combine_runs: bool = False  # keep the usage of every limited memory, so that runs may be put together

    @property
    def all_usages(self) -> bool:
        """Is the usage of every limited memory kept, whether or not it may ever be full?"""
        return self.combine_runs or Metric.RESOURCE_USAGE in self.metrics


@attrs.frozen
class Problem:
    """A whole job: the Einsums in workload order and the options of the search."""

    einsums: tuple[EinsumProblem, ...]
    options: MapperOptions = attrs.field(factory=MapperOptions)
    spec_hash: str = ""  # of everything that can change a result; key of caches
    # Rank variables inside expressions with another one, in any Einsum: their tiles stay perfect factors. A part of the
    # Einsums keeps those of the whole, so that each has the same tiles alone as beside the others.
    compound: frozenset[str] = frozenset()

    def __attrs_post_init__(self) -> None:
        own = {v for e in self.einsums for t in e.tensors for v in t.compound}
        object.__setattr__(self, "compound", self.compound | own)
        # Einsums say themselves which variables take part: all that is done to one of them (searching, caching,
        # comparing it with another) then knows.
        object.__setattr__(self, "einsums", tuple(self._with_imperfect(e) for e in self.einsums))

    def _with_imperfect(self, einsum: EinsumProblem) -> EinsumProblem:
        temporal, spatial = (
            self._taking_part(asked, einsum)
            for asked in (
                self.options.explore_imperfect_temporal_loops,
                self.options.explore_imperfect_spatial_loops,
            )
        )
        if (temporal, spatial) == (einsum.imperfect_temporal, einsum.imperfect_spatial):
            return einsum
        return attrs.evolve(einsum, imperfect_temporal=temporal, imperfect_spatial=spatial)

    def _taking_part(self, asked: bool | frozenset[str], einsum: EinsumProblem) -> frozenset[str]:
        if not asked:
            return frozenset()
        wanted = frozenset(einsum.bounds) if asked is True else asked & frozenset(einsum.bounds)
        return wanted - self.compound

    def imperfect_text(self) -> str:
        """Which rank variables have imperfect factors, in words; empty where options ask for none."""
        asked = self.options.explore_imperfect_temporal_loops, self.options.explore_imperfect_spatial_loops
        if asked == (False, False):
            return ""
        parts = [
            frozenset(v for e in self.einsums for v in getattr(e, f"imperfect_{kind}"))
            for kind in ("temporal", "spatial")
        ]
        if parts[0] == parts[1]:
            return ", ".join(sorted(parts[0])) or "of no rank variable"
        kinds = zip(("outermost loop temporal", "spatial"), parts, strict=True)
        return "; ".join(f"{', '.join(sorted(own))} ({kind})" for kind, own in kinds if own) or "of no rank variable"

    @cached_property
    def einsum(self) -> Mapping[str, EinsumProblem]:
        return {e.name: e for e in self.einsums}
