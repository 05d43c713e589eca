"""The architecture as one Einsum sees it: its paths, and each component evaluated on demand."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING

import attrs

from ffcore.errors import ErrorCollector, SpecError, suggest
from ffcore.spec import problem
from ffcore.spec.architecture import (
    Array,
    Component,
    Compute,
    Container,
    Hardware,
    Memory,
    Network,
    TensorHolder,
    Toll,
)
from ffcore.spec.expressions import TensorSet, evaluate, names_in
from ffcore.spec.problem import ComponentKind, Held, Leak, Tensor
from ffcore.spec.resolve.accesses import Accesses
from ffcore.spec.resolve.costs import CostBook, Costs, action_fields, component_costs, latency_forms, missing_costs
from ffcore.spec.resolve.einsums import ResolvedEinsum, table_place, tensors_of
from ffcore.spec.resolve.layout import ArchLayout
from ffcore.spec.resolve.nodes import Fields, View, holding, spatial_dimensions
from ffcore.spec.resolve.scope import Lazy, Scope
from ffcore.spec.resolve.tree import Place
from ffcore.spec.resolve.values import as_bool, as_tensors, bits_of_value, by_tensor, count, positive

if TYPE_CHECKING:
    from ffcore.spec.resolve.costs import CostHook
    from ffcore.spec.spec import Spec

_DIRECTIONS = {"up": (True, False), "down": (False, True), "up_and_down": (True, True)}


class EinsumArch:
    """The architecture, evaluated for one Einsum."""

    def __init__(
        self, spec: Spec, layout: ArchLayout, einsum: ResolvedEinsum, book: CostBook, model: CostHook | None
    ) -> None:
        self.spec = spec
        self.einsum = einsum
        self.book = book
        self.model = model
        self.layout = layout
        self.places = layout.places
        self._first_fields: dict[str, Fields] = {}  # before it is known what memories keep
        self._fixed_costs: dict[str, Costs] = {}
        self.everything = frozenset(einsum.universe)
        own: dict[str, Lazy | object] = {}
        self.scope = Scope(own, einsum.scope)
        place = table_place(spec.arch, "variables")
        for name, value in spec.arch.variables.items():
            compute = partial(evaluate, value, self.scope, place(name))
            own[name] = Lazy(f"arch.variables.{name}", place(name), compute, einsum.trace)

    @cached_property
    def tensors(self) -> tuple[Tensor, ...]:
        return tensors_of(self.einsum)

    @cached_property
    def accesses(self) -> Accesses:
        """The names of the accesses of each tensor that has several."""
        found = self.einsum.shape.by_name.items()
        return {name: tuple(t.name for t in own) for name, own in found if len(own) > 1}

    def fields(self, place: Place, held: Held | None) -> Fields:
        """Evaluator of a node's fields; ``held`` None: nothing may depend on what memories keep."""
        name = place.node.name
        if held is not None and name not in self.layout.fixed:
            return self._fields(place, held)
        if name not in self._first_fields:
            self._first_fields[name] = self._fields(place, None)
        return self._first_fields[name]

    def _fields(self, place: Place, held: Held | None) -> Fields:
        trace = self.einsum.trace
        own: dict[str, Lazy | object] = {}
        scope = Scope(own, self.scope)
        all_fields: dict[str, Fields] = {}

        def fields_of(node: Container) -> Fields:
            if node.name not in all_fields:
                all_fields[node.name] = Fields(node, scope, trace, node.name)
            return all_fields[node.name]

        def view(other: Place) -> View:
            as_set = partial(self._kept, other, place, held) if isinstance(other.node, TensorHolder) else None
            return View(fields_of(other.node), as_set)

        for name, other in self.places.items():
            own[name] = Lazy(name, other.node.position_of(""), partial(view, other), trace)
        own["Above"] = Lazy("Above", None, partial(self._above, place, held), trace)
        return fields_of(place.node)

    def _kept(self, of: Place, seen_from: Place, held: Held | None) -> TensorSet:
        name = of.node.name
        if of.node is seen_from.node or seen_from.node in of.above:
            message = f"what {name} keeps is not known at {seen_from.node.name}, which does not stand below it"
            raise SpecError.one(message, seen_from.node.position_of(""))
        if held is None:
            raise self._too_early(name, seen_from)
        return self.einsum.tensor_set(held.get(name, frozenset()))

    def _above(self, place: Place, held: Held | None) -> TensorSet:
        if held is None:
            raise self._too_early("Above", place)
        return self.einsum.tensor_set(frozenset().union(*held.values()))

    def _too_early(self, name: str, place: Place) -> SpecError:
        message = f"a field of {place.node.name} that must be known from the start depends on what is kept ({name})"
        return SpecError.one(message, place.node.position_of(""))

    def component_kind(self, name: str) -> ComponentKind:
        """What a node is to the mapper."""
        return _kind(self.places[name].node)

    def enabled(self, place: Place) -> bool:
        return self.fields(place, None).truth("enabled")

    def costs(self, fields: Fields) -> Costs:
        """Costs of the node that the fields are those of."""
        name = fields.label
        if name not in self.layout.fixed_costs:
            return self._costs(fields)
        if name not in self._fixed_costs:
            self._fixed_costs[name] = self._costs(fields)
        return self._fixed_costs[name]

    def _costs(self, fields: Fields) -> Costs:
        shared = self.spec.arch.extra_attributes_for_all_component_models
        place = table_place(self.spec.arch, "extra_attributes_for_all_component_models")
        known: dict[str, object] = {}
        for name, value in shared.items():
            try:
                known[name] = evaluate(value, self.scope, place(name))
            except SpecError:  # a plain word for the cost model
                known[name] = value
        return component_costs(fields, self.book, self.model, known)

    def instances(self, place: Place) -> int:
        """Instances of a node in the whole chip: its own fanout times that of all above it."""
        result = 1
        for node in self._multiplying(place):
            for item in self.fields(self.places[node.name], None).items("spatial"):
                result *= int(item.number("fanout", count))
        return result

    def _multiplying(self, place: Place) -> tuple[Container, ...]:
        """A node, and those above whose fanouts multiply it: what is spread over an Array makes no more of the rest."""
        return (*(n for n in place.above if not self.layout.spread.get(n.name, (None, False))[1]), place.node)

    def leaks(self, errors: ErrorCollector) -> tuple[Leak, ...]:
        """Leakage of every component, used or not."""
        result = []
        for place in self.places.values():
            if not isinstance(place.node, Hardware):
                continue
            with errors.catch():
                power = self.costs(self.fields(place, None)).leak_power
                if power:  # unknown ones have been reported
                    gates = self._gates(place)
                    result.append(Leak(place.node.name, power * self.instances(place), gates, self._off_with(place)))
        return tuple(result)

    def _off_with(self, place: Place) -> frozenset[str]:
        """The Computes that a node is gated off for, as a Fork stands between them."""
        off: set[str] = set()
        for fork, inside, after in self.layout.forks:
            for field, gated, here, there in (
                ("forked_power_gateable", fork.forked_power_gateable, inside, after),
                ("non_forked_power_gateable", fork.non_forked_power_gateable, after, inside),
            ):
                at = fork.place_of(field)
                if as_bool(evaluate(gated, self.scope, at), field, at) and place.node.name in here:
                    off |= there
        return frozenset(name for name in off if isinstance(self.places[name].node, Compute))

    def _gates(self, place: Place) -> tuple[tuple[str, str, int], ...]:
        found = []
        for node in self._multiplying(place):
            for item in self.fields(self.places[node.name], None).items("spatial"):
                if item.truth("power_gateable"):
                    found.append((node.name, str(item.get("name")), int(item.number("fanout", count))))
        return tuple(found)

    def component(self, place: Place, held: Held) -> problem.Component:
        """Evaluate one node of a path. Raises SpecError with everything that is wrong in it."""
        errors = ErrorCollector()
        fields = self.fields(place, held)
        node = place.node
        made = problem.Component(name=node.name, kind=_kind(node))
        changes: dict[str, object] = {}
        array, spread = self.layout.spread.get(node.name, (None, False))
        with errors.catch():
            changes["spread" if spread else "spatial"] = spatial_dimensions(fields, self.everything)
            if array is not None:
                changes["array"] = array.name
                self._check_spread(fields, array, changes.get("spread", ()))
        if isinstance(node, Component):
            with errors.catch():
                costs = self.costs(fields)
                if lacking := missing_costs(fields, costs):
                    raise SpecError(lacking)
                changes["actions"] = self._actions(fields, costs)
                changes["latency"] = latency_forms(fields, costs)
        if isinstance(node, TensorHolder):
            with errors.catch():
                above = self._above(place, held).names if isinstance(node, Toll) else None
                changes["holding"] = holding(fields, self.everything, above)
                changes["bits_per_value"] = self._bits(fields, own_only=True)
        if isinstance(node, Network):
            with errors.catch():
                changes["all_to_all"] = _all_to_all(node)
        if isinstance(node, Toll):
            with errors.catch():
                changes["free_up"], changes["free_down"] = self._free(fields, changes.get("holding"))
        if isinstance(node, Memory):
            with errors.catch():
                changes["size"] = self._size(fields)
        if isinstance(node, Memory | Compute):
            with errors.catch():
                changes["skip_initial_output_write"] = fields.truth("skip_initial_output_write")
        if isinstance(node, Compute):
            with errors.catch():
                changes["computes_copies"] = fields.truth("computes_copies")
        errors.raise_if_any()
        return _evolve(made, changes)

    def _check_spread(self, fields: Fields, array: Array, spread: object) -> None:
        """Instances of a memory divide the dimensions of the Array that it is spread over."""
        whole = spatial_dimensions(self.fields(self.places[array.name], None), self.everything)
        across = {d.name: d.fanout for d in whole}
        for own in spread if isinstance(spread, tuple) else ():
            if across[own.name] % own.fanout:
                message = f"{own.fanout} instances along {own.name} do not divide {array.name}'s {across[own.name]}"
                raise SpecError.one(f"{fields.what('spatial')}: {message}", fields.place("spatial"))

    def _size(self, fields: Fields) -> float:
        """Bits; 0 is right only where it comes from the Einsum's tensors (a memory without use for it)."""
        size = fields.number("size")
        text = fields.node.size if isinstance(fields.node, Memory) else 0
        from_tensors = any(isinstance(fields.scope.get(n), TensorSet) for n in names_in(text, fields.place("size")))
        if size < 0 or (size == 0 and not from_tensors):
            raise SpecError.one(f"{fields.what('size')} must be positive, got {size:g}", fields.place("size"))
        return size

    def _bits(self, fields: Fields, own_only: bool = False) -> dict[str, float]:
        """Bits per value of each tensor in this component."""
        bits = {} if own_only else {t.name: t.bits_per_value for t in self.tensors if t.access_of is None}
        table = getattr(fields.node, "bits_per_value", None)
        if table is not None:
            place = table_place(fields.node, "bits_per_value")
            bits |= by_tensor(table, fields.scope, self.everything, fields.what("bits_per_value"), place, bits_of_value)
        return bits

    def _free(self, fields: Fields, rules: object) -> tuple[frozenset[str], frozenset[str]]:
        """Tensors that pass a Toll for free on their way up, and down."""
        node, what = fields.node, fields.what("direction")
        assert isinstance(node, Toll)
        charged: dict[str, tuple[bool, bool]] = {}
        for key, direction in sorted(node.direction.items(), key=lambda item: item[0] == "Other"):
            place = table_place(node, "direction")(key)
            if direction not in _DIRECTIONS:
                message = f"{what} must be one of {', '.join(_DIRECTIONS)}, got {direction!r}"
                raise SpecError.one(message, place, suggest(str(direction), _DIRECTIONS))
            if key == "Other":
                names = self.everything - charged.keys()
            else:
                names = as_tensors(evaluate(key, fields.scope, place), f"the key {key!r} of {what}", place).names
            if both := names & charged.keys():
                raise SpecError.one(f"two keys of {what} name tensor {', '.join(sorted(both))}", place)
            charged |= dict.fromkeys(names, _DIRECTIONS[direction])
        handled = rules.must | rules.may if isinstance(rules, problem.Holding) else frozenset[str]()
        if lacking := handled - charged.keys():
            message = f"{what} says nothing of tensor {', '.join(sorted(lacking))}: add the key Other"
            raise SpecError.one(message, fields.place("direction"))
        up, down = (frozenset(t for t, way in charged.items() if not way[i]) for i in range(2))
        return up, down

    def _actions(self, fields: Fields, costs: Costs) -> tuple[problem.Action, ...]:
        result = []
        scale = fields.number("actions_scale", positive)
        for name, action in action_fields(fields).items():
            energy = float(costs.energy[name] or 0.0)
            if isinstance(fields.node, Compute):  # one per operation: what more there are is in their costs
                values, energy = dict.fromkeys(self.einsum.shape.names, 1.0), energy * scale
            else:
                values = {t: v / scale for t, v in self._values_per_action(fields, action).items()}
            result.append(problem.Action(name, energy, values))
        return tuple(result)

    def _values_per_action(self, fields: Fields, action: Fields) -> dict[str, float]:
        """The action's own, else the component's, else bits per action / bits per value; for each tensor."""
        source = action if action.given("bits_per_action") else fields
        width = source.number("bits_per_action", positive) if source.given("bits_per_action") else 1.0
        values = {t: width / bits for t, bits in self._bits(fields).items()}
        for owner in (fields, action):
            table = getattr(owner.node, "values_per_action", None)
            if table is not None:
                place = table_place(owner.node, "values_per_action")
                values |= by_tensor(table, owner.scope, self.everything, owner.what("values_per_action"), place)
        return values


_TOPOLOGIES = ("mesh", "all_to_all")


def _all_to_all(node: Network) -> bool:
    if node.topology not in _TOPOLOGIES:
        message = f"{node.name}.topology must be one of {', '.join(_TOPOLOGIES)}, got {node.topology!r}"
        raise SpecError.one(message, node.place_of("topology"), suggest(node.topology, _TOPOLOGIES))
    return node.topology == "all_to_all"


def _kind(node: Container) -> ComponentKind:
    if isinstance(node, Memory):
        return ComponentKind.MEMORY
    if isinstance(node, Toll):
        return ComponentKind.TOLL
    if isinstance(node, Network) and node.actions:
        return ComponentKind.NETWORK
    return ComponentKind.COMPUTE if isinstance(node, Compute) else ComponentKind.CONTAINER


def _evolve(made: problem.Component, changes: Mapping[str, object]) -> problem.Component:
    return attrs.evolve(made, **changes)  # type: ignore[arg-type]
