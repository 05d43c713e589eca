"""Architecture: the tree of memories, computes and spatial containers, as the user wrote it."""

# ruff: noqa: RUF009 - spec_field makes attrs fields, whose defaults are not shared
from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

import attrs

from ffcore.errors import ErrorCollector, SpecError, suggest
from ffcore.spec.fields import (
    Data,
    Expression,
    Many,
    One,
    SpecNode,
    Table,
    Tagged,
    Text,
    Value,
    forget_position,
    pure_number,
    quoted_as_text,
    spec_field,
)
from ffcore.spec.ignored import without_ignored
from ffcore.spec.quantities import of_variable
from ffcore.spec.source.nodes import Node, YamlMap

if TYPE_CHECKING:
    from ffcore.render.rendering import Rendering
    from ffcore.spec.spec import Spec


@attrs.define(kw_only=True, on_setattr=forget_position)
class Action(SpecNode):
    """What a component does and what it costs once: ``read``, ``write`` (memories), ``compute``."""

    name: str = spec_field(
        Text(),
        required=True,
        doc="read, write (Memory), read (Toll), hop (Network) or compute (Compute); others are never counted",
    )
    energy: Expression | None = spec_field(Value(), unit="J", doc="energy of one action")
    throughput: Expression | None = spec_field(
        Value(), unit="1/s", doc="actions per second of one instance (default: 1 / latency)"
    )
    latency: Expression | None = spec_field(
        Value(), unit="s", doc="time of one action, where throughput is not given; of a hop, beside it"
    )
    energy_scale: Expression = spec_field(Value(), default=1, doc="factor on energy")
    throughput_scale: Expression = spec_field(Value(), default=1, doc="factor on throughput")
    latency_scale: Expression = spec_field(Value(), default=1, doc="factor on the time of one action")
    bits_per_action: Expression | None = spec_field(Value(), unit="bit", doc="bits moved by one action (1)")
    values_per_action: dict[str, Expression] | None = spec_field(
        Table(scalar_key="All"), reader=pure_number, doc="values moved by one action, by set of tensors"
    )
    extra_attributes_for_component_model: dict[str, Any] = spec_field(
        Table(), factory=dict, doc="passed on to the cost model"
    )


@attrs.define(kw_only=True, on_setattr=forget_position)
class LoopBound(SpecNode):
    """A limit on the trip counts of spatial loops, or on tile sizes: of each, or of their product (of none: 1)."""

    expression: Expression = spec_field(Value(), required=True, default="Nothing", doc="set of rank variables")
    operator: str = spec_field(Text(), required=True, default="<=", doc="== != < <= > >=, also after 'product'")
    value: Expression = spec_field(Value(), required=True, default=1, doc="right-hand side")


@attrs.define(kw_only=True, on_setattr=forget_position)
class Spatial(SpecNode):
    """One dimension in which a node, and all below it, is repeated."""

    name: str = spec_field(Text(), required=True, default="", doc="name of the dimension, unique in its node")
    fanout: Expression = spec_field(Value(), required=True, default=1, doc="number of instances")
    reuse: Expression | None = spec_field(
        Value(), doc="tensors over whose rank variables no spatial loop may run (default Nothing)"
    )
    may_reuse: Expression | None = spec_field(
        Value(), doc="tensors that multicast or spatial reduction may serve (default: reuse if given, else All)"
    )
    loop_bounds: list[LoopBound] = spec_field(
        Many(LoopBound, "loop bound"), factory=list, doc="limits on trips of loops that may stand here"
    )
    min_usage: Expression = spec_field(Value(), default=0, doc="least share of instances to use, 0 to 1")
    usage_scale: Expression = spec_field(Value(), default=1, doc="factor on the share used")
    power_gateable: Expression = spec_field(Value(), default=False, doc="whether unused instances leak nothing")


@attrs.define(kw_only=True, on_setattr=forget_position)
class TensorRules(SpecNode):
    """Which tensors a memory (or Toll) holds, and how."""

    keep: Expression | None = spec_field(Value(), doc="tensors that must be held (default Nothing)")
    may_keep: Expression | None = spec_field(
        Value(), doc="tensors that may be held (default Nothing if keep is given, else All)"
    )
    bypass: Expression | None = spec_field(Value(), doc="tensors never held; removed from keep and may_keep")
    back: Expression | None = spec_field(Value(), doc="tensors that must be held and have their backing here")
    no_refetch_from_above: Expression | None = spec_field(Value(), doc="tensors fetched from above only once")
    no_resend_to_below: Expression | None = spec_field(Value(), doc="tensors sent below only once")
    tensor_order_options: list[list[Expression]] | None = spec_field(
        Data(), doc="allowed orders of holders: lists of sets of tensors, outermost first"
    )
    tile_shape: list[LoopBound] = spec_field(Many(LoopBound, "tile shape"), factory=list, doc="limits on tile sizes")
    force_memory_hierarchy_order: Expression = spec_field(
        Value(), default=True, doc="whether holders follow the order of the memories"
    )


@attrs.define(kw_only=True, on_setattr=forget_position)
class ArchNode(SpecNode):
    """Anything in the architecture tree."""

    name: str = spec_field(Text(), required=True, default="", doc="unique name")


@attrs.define(kw_only=True, on_setattr=forget_position)
class Container(ArchNode):
    """Spatial fanout of everything below; no cost of its own."""

    enabled: Expression = spec_field(Value(), default=True, doc="whether the node exists for an Einsum")
    spatial: list[Spatial] = spec_field(Many(Spatial, "spatial dimension"), factory=list, doc="own fanout")


@attrs.define(kw_only=True, on_setattr=forget_position)
class Hardware(Container):
    """A node with area and leakage."""

    area: Expression | None = spec_field(Value(), unit="m^2", doc="area of one instance (default 0)")
    area_scale: Expression = spec_field(Value(), default=1, doc="factor on area")
    leak_power: Expression | None = spec_field(Value(), unit="W", doc="leakage of one instance (default 0)")
    leak_power_scale: Expression = spec_field(Value(), default=1, doc="factor on leak_power")
    n_parallel_instances: Expression = spec_field(
        Value(), default=1, doc="copies that share the work: faster by that much, area and leakage multiply"
    )

    @classmethod
    def normalise(cls, node: Node, errors: ErrorCollector, path: str) -> Node:
        """Leave out totals that other tools write into their files."""
        reason = "totals are computed from area, leak_power and the fanouts"
        return without_ignored(node, ("total_area", "total_leak_power"), reason, path)


@attrs.define(kw_only=True, on_setattr=forget_position)
class Component(Hardware):
    """A node whose actions cost energy and time."""

    component_class: str | None = spec_field(Text(), doc="what it is, for cost models; Dummy costs nothing")
    extra_attributes_for_component_model: dict[str, Any] = spec_field(
        Table(), factory=dict, doc="passed on to the cost model"
    )
    actions: list[Action] = spec_field(Many(Action, "action"), factory=list, doc="costs of the actions")
    actions_scale: Expression = spec_field(Value(), default=1, doc="factor on the number of all actions")
    energy_scale: Expression = spec_field(Value(), default=1, doc="factor on the energy of all actions")
    throughput_scale: Expression = spec_field(Value(), default=1, doc="factor on the throughput of all actions")
    latency_scale: Expression = spec_field(Value(), default=1, doc="factor on the time of all actions")
    total_latency: Expression | None = spec_field(
        Value(),
        unit="s",
        doc="time of all actions, from n_calls per instance (default: the sum of n_calls / throughput over actions); "
        "of a Network, from max_hops and max_link_traffic",
    )


@attrs.define(kw_only=True, on_setattr=forget_position)
class TensorHolder(Component):
    """A component that tensors pass through or stay in."""

    tensors: TensorRules = spec_field(One(TensorRules), factory=TensorRules, doc="which tensors it holds")
    bits_per_value: dict[str, Expression] | None = spec_field(
        Table(scalar_key="All"), unit="bit", doc="bits per value in this component, by set of tensors"
    )
    bits_per_action: Expression | None = spec_field(Value(), unit="bit", doc="bits moved by one action (1)")
    values_per_action: dict[str, Expression] | None = spec_field(
        Table(scalar_key="All"), reader=pure_number, doc="values moved by one action, by set of tensors"
    )

    @property
    def constraints(self) -> Constraints:
        """The older name of the group that holds ``tensors``: the same object."""
        return Constraints(self)

    @classmethod
    def normalise(cls, node: Node, errors: ErrorCollector, path: str) -> Node:
        """Move ``constraints: {tensors: {...}}`` to ``tensors: {...}``."""
        node = super().normalise(node, errors, path)
        if not isinstance(node, YamlMap) or "constraints" not in node.entries:
            return node
        entries = dict(node.entries)
        _, group = entries.pop("constraints")
        if not isinstance(group, YamlMap):
            errors.add(
                "expected a mapping such as {tensors: {keep: All}}", group.position.with_field(f"{path}.constraints")
            )
            return attrs.evolve(node, entries=entries)
        for key, (key_node, value) in group.entries.items():
            place = key_node.position.with_field(f"{path}.constraints.{key}")
            if key != "tensors":
                errors.add(f"unknown field {key!r} of constraints", place, suggest(key, ["tensors"]))
                continue
            old = entries["tensors"][1] if "tensors" in entries else None
            if isinstance(old, YamlMap) and isinstance(value, YamlMap):
                for name in old.entries.keys() & value.entries.keys():
                    errors.add(f"{name!r} is given both in tensors and in constraints.tensors", place)
                value = attrs.evolve(value, entries={**old.entries, **value.entries})
            entries["tensors"] = (key_node, value)
        return attrs.evolve(node, entries=entries)


@attrs.define(kw_only=True, on_setattr=forget_position)
class Memory(TensorHolder):
    """Holds tiles of tensors."""

    size: Expression = spec_field(
        Value(), required=True, default=float("inf"), unit="bit", doc="capacity of one instance"
    )
    skip_initial_output_write: Expression = spec_field(
        Value(), default=True, doc="whether outputs that are still all zero are not fetched"
    )


@attrs.define(kw_only=True, on_setattr=forget_position)
class Toll(TensorHolder):
    """Charges one read per value that passes, and holds nothing."""

    direction: dict[str, str] = spec_field(
        Table(scalar_key="All"),
        required=True,
        factory=lambda: {"All": "up_and_down"},
        converter=lambda value: {"All": value} if isinstance(value, str) else value,
        doc="up, down or up_and_down, by set of tensors",
    )


@attrs.define(kw_only=True, on_setattr=forget_position)
class Network(Component):
    """Links between the instances of what stands below it; each link that a value passes is a ``hop``.

    Without actions moving data over it is free.
    """

    topology: str = spec_field(Text(), default="mesh", doc="mesh, or all_to_all: one hop to every other instance")
    bits_per_value: dict[str, Expression] | None = spec_field(
        Table(scalar_key="All"), unit="bit", doc="bits per value on this network, by set of tensors"
    )
    bits_per_action: Expression | None = spec_field(Value(), unit="bit", doc="bits moved by one hop (1)")


@attrs.define(kw_only=True, on_setattr=forget_position)
class Compute(Component):
    """Does one operation per action, at the end of a path."""

    skip_initial_output_write: Expression = spec_field(
        Value(), default=True, doc="whether the first operation on an output reads nothing"
    )
    computes_copies: Expression = spec_field(
        Value(), default=False, doc="whether copy Einsums are charged one action per value"
    )


@attrs.define(kw_only=True, on_setattr=forget_position)
class Branch(ArchNode):
    """A list of nodes, each below the one before."""

    name: str = spec_field(Text(), default="", doc="optional name")
    nodes: NodeList = spec_field(
        Tagged(lambda: NODE_CLASSES, lambda nodes: NodeList(nodes)), factory=lambda: NodeList(), doc="the nodes inside"
    )


@attrs.define(kw_only=True, on_setattr=forget_position)
class Hierarchical(Branch):
    """Nodes one below the other, as if they stood in the list around."""


@attrs.define(kw_only=True, on_setattr=forget_position)
class Fork(Branch):
    """Nodes beside the ones that follow: only paths to a Compute inside pass through them."""

    forked_power_gateable: Expression = spec_field(
        Value(), default=False, doc="whether the nodes inside leak nothing while an Einsum runs elsewhere"
    )
    non_forked_power_gateable: Expression = spec_field(
        Value(), default=False, doc="whether what follows leaks nothing while an Einsum runs inside"
    )


@attrs.define(kw_only=True, on_setattr=forget_position)
class Array(Hardware):
    """A fanout of everything that follows, and the nodes that feed it: these stand above the fanout."""

    nodes: NodeList = spec_field(
        Tagged(lambda: NODE_CLASSES, lambda nodes: NodeList(nodes)),
        factory=lambda: NodeList(),
        doc="what stands above the fanout",
    )


NODE_CLASSES: dict[str, type] = {
    c.__name__: c for c in (Memory, Toll, Container, Compute, Network, Array, Hierarchical, Fork)
}


class Constraints:
    """View of a node's constraints; ``tensors`` is the node's own."""

    __slots__ = ("_node",)

    def __init__(self, node: TensorHolder) -> None:
        object.__setattr__(self, "_node", node)

    @property
    def tensors(self) -> TensorRules:
        return self._node.tensors

    @tensors.setter
    def tensors(self, value: TensorRules) -> None:
        self._node.tensors = value

    _node: TensorHolder


class NodeList(list[ArchNode]):
    """Architecture nodes by index or by name; names are looked up in nested nodes too."""

    @overload
    def __getitem__(self, key: SupportsIndex) -> ArchNode: ...
    @overload
    def __getitem__(self, key: slice) -> list[ArchNode]: ...
    @overload
    def __getitem__(self, key: str) -> Any: ...

    def __getitem__(self, key: SupportsIndex | slice | str) -> Any:
        """The node of that index or name. Raises SpecError for a name that does not exist."""
        if not isinstance(key, str):
            return super().__getitem__(key)
        named = {n.name: n for n in walk(self) if n.name}
        if key not in named:
            message = f"no architecture node {key!r}; there are {', '.join(named) or 'none'}"
            raise SpecError.one(message, suggestion=suggest(key, named))
        return named[key]

    def __contains__(self, key: object) -> bool:
        return any(n.name == key for n in walk(self)) if isinstance(key, str) else super().__contains__(key)


def walk(nodes: Iterable[ArchNode]) -> Iterator[ArchNode]:
    """All nodes of the tree, in file order, each before the nodes inside it."""
    for node in nodes:
        yield node
        if isinstance(node, Branch | Array):
            yield from walk(node.nodes)


@attrs.define(kw_only=True, on_setattr=forget_position)
class Arch(SpecNode):
    """The whole architecture."""

    nodes: NodeList = spec_field(
        Tagged(lambda: NODE_CLASSES, lambda nodes: NodeList(nodes)),
        factory=lambda: NodeList(),
        doc="from the root down to the computes",
    )
    variables: dict[str, Expression] = spec_field(
        Table(),
        factory=dict,
        reader=of_variable,
        normalise=quoted_as_text,
        doc="names for use in the nodes; quoted text is text",
    )
    extra_attributes_for_all_component_models: dict[str, Any] = spec_field(
        Table(), factory=dict, doc="passed on to the cost model with every component"
    )

    _spec: Spec | None = attrs.field(default=None, init=False, repr=False, eq=False)  # that it belongs to

    def render(self) -> Rendering:
        """The architecture as text, and as a picture where a renderer is installed; with its spec's variables."""
        from ffcore.render import render_arch

        return render_arch(self if self._spec is None else self._spec)

    def _repr_svg_(self) -> str | None:
        return self.render()._repr_svg_()

    def _repr_html_(self) -> str | None:
        return self.render()._repr_html_()
