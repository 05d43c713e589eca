"""The architecture as people draw it: a tree of nodes, each with its facts in human units."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import attrs

from ffcore.errors import SpecError
from ffcore.spec.architecture import (
    Action,
    Arch,
    ArchNode,
    Array,
    Component,
    Compute,
    Container,
    Fork,
    Hardware,
    Hierarchical,
    Memory,
    Network,
    Spatial,
    TensorHolder,
    Toll,
)
from ffcore.spec.expressions import evaluate
from ffcore.spec.quantities import per_bit
from ffcore.spec.resolve.einsums import variable_scope
from ffcore.spec.resolve.scope import Trace
from ffcore.spec.resolve.tree import spread_memories
from ffcore.units import Dimension, format_quantity

if TYPE_CHECKING:
    from ffcore.spec.spec import Spec

_MANY_LEVELS = 200  # deeper trees are indented no further


@attrs.frozen
class NodeView:
    """One node of the architecture, ready to print.

    ``kind`` is the name of its YAML tag, ``fanout`` one text per spatial dimension (``Z ×4``), ``headline`` the
    fact that matters most (a memory's size), ``facts`` the others, one line each; ``children`` are the nodes below.
    ``instances`` counts the node in the whole architecture (None: not known).
    """

    name: str
    kind: str
    headline: str = ""
    fanout: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    children: tuple[NodeView, ...] = ()
    instances: int | None = 1

    @property
    def count(self) -> str:
        """``65,536 in all``, where there are more than one."""
        return "" if self.instances in (None, 1) else f"{self.instances:,} in all"


def view_arch(source: Spec | Arch) -> tuple[NodeView, ...]:
    """The architecture's root nodes, with all others below them.

    What can only be known for one Einsum (a size that depends on its tensors) is shown as the
    user wrote it; nothing here raises for such fields.
    """
    arch, symbols = _arch_and_symbols(source)
    divided = frozenset(name for name, (_, own) in spread_memories(arch).items() if own)
    return _build(arch.nodes, (), _Facts(symbols, divided), 1)


def arch_text(source: Spec | Arch) -> str:
    """The architecture as a tree of text, with sizes, energies and throughputs."""
    lines: list[str] = []
    for root in view_arch(source):
        _write(root, "", "", lines)
    return "\n".join(lines) or "(empty architecture)"


def _write(node: NodeView, first: str, rest: str, lines: list[str]) -> None:
    """Append the lines of a subtree. ``first`` leads in the node's own line, ``rest`` all others."""
    pending = [(node, first, rest)]
    while pending:
        view, lead, follow = pending.pop()
        headline = f": {view.headline}" if view.headline else ""
        fanout = "".join(f"  [{dimension}]" for dimension in view.fanout)
        name = f"{view.name} ({view.kind})" if view.name else view.kind
        count = f"  {view.count}" if view.count else ""
        lines.append(f"{lead}{name}{headline}{fanout}{count}")
        inner = follow + ("│    " if view.children else "     ")
        lines.extend(f"{inner}{fact}" for fact in view.facts)
        indent = follow[: 2 * _MANY_LEVELS]
        for i, child in reversed(list(enumerate(view.children))):
            last = i == len(view.children) - 1
            pending.append((child, indent + ("└ " if last else "├ "), indent + ("  " if last else "│ ")))


def _arch_and_symbols(source: Spec | Arch) -> tuple[Arch, Mapping[str, object]]:
    arch = source if isinstance(source, Arch) else source.arch
    table = dict(arch.variables) if isinstance(source, Arch) else {**source.variables, **arch.variables}
    scope = variable_scope(table, Trace(), lambda _: None)
    symbols: dict[str, object] = {}
    for name in table:
        with suppress(SpecError):
            symbols[name] = scope[name]
    return arch, symbols


def _build(
    nodes: Sequence[ArchNode], below: tuple[NodeView, ...], facts: _Facts, outer: int | None
) -> tuple[NodeView, ...]:
    """The chain of ``nodes`` above ``below``: each node stands above the ones that follow it.

    ``outer``: how often the architecture holds what is inside the nodes above (None: not known).
    """
    counts = [outer]  # for each node, of what comes before it
    for node in nodes:
        counts.append(_times(counts[-1], facts.spread(node)))
    for node, before in zip(reversed(nodes), reversed(counts[:-1]), strict=True):
        if isinstance(node, Hierarchical):
            below = _build(node.nodes, below, facts, before)
        elif isinstance(node, Fork):
            # A side branch: what follows the Fork does not pass through it.
            below = (NodeView(node.name, "Fork", children=_build(node.nodes, (), facts, before)), *below)
        else:
            own = _times(before, facts.own_spread(node))
            if isinstance(node, Array):
                # What is inside stands above the fanout.
                below = _build(
                    node.nodes, (facts.view(node, below, _times(before, facts.spread(node))),), facts, before
                )
            elif isinstance(node, Compute):
                below = (facts.view(node, (), own), *below)
            else:
                below = (facts.view(node, below, own),)
    return below


def _times(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a * b


@attrs.frozen
class _Facts:
    """Turns fields into text, with the names that are known before any Einsum is looked at."""

    symbols: Mapping[str, object]
    divided: frozenset[str]  # memories whose instances divide an Array's, and make no more of what follows

    def own_spread(self, node: ArchNode) -> int | None:
        """How many instances a node's own spatial dimensions make."""
        result: int | None = 1
        for dimension in node.spatial if isinstance(node, Container) else ():
            fanout = self.number(dimension.fanout)
            result = _times(result, None if fanout is None or not math.isfinite(fanout) else int(fanout))
        return result

    def spread(self, node: ArchNode) -> int | None:
        """How many instances of what follows a node there are for each one of it."""
        if isinstance(node, Fork | Compute) or node.name in self.divided:
            return 1
        result = self.own_spread(node)
        for inner in node.nodes if isinstance(node, Hierarchical | Array) else ():
            result = _times(result, self.spread(inner))
        return result

    def view(self, node: ArchNode, children: tuple[NodeView, ...], instances: int | None) -> NodeView:
        fanout = tuple(self.dimension(s) for s in node.spatial) if isinstance(node, Container) else ()
        headline = ""
        facts: list[str] = []
        if isinstance(node, Memory):
            headline = self.quantity(node.size, Dimension.SIZE)
        if isinstance(node, Toll):
            ways = {names: way.replace("_", " ") for names, way in node.direction.items()}
            headline = ", ".join(way if names == "All" else f"{names} {way}" for names, way in ways.items())
        if isinstance(node, Network) and node.actions:
            headline = node.topology.replace("_", " ")
        if isinstance(node, Component):
            facts += self.actions(node)
        if isinstance(node, TensorHolder):
            facts += self.holding(node)
        if isinstance(node, Hardware):
            facts += self.size_and_leak(node)
        if isinstance(node, Container):
            facts += [f for s in node.spatial for f in self.dimension_limits(s)]
            if node.enabled is not True:
                facts.append(f"enabled if {node.enabled}")
        return NodeView(node.name, type(node).__name__, headline, fanout, tuple(facts), children, instances)

    def number(self, *factors: object) -> float | None:
        """The product of the factors, or None where one of them cannot be known yet."""
        result = 1.0
        for factor in factors:
            try:
                value = evaluate(factor, self.symbols)
            except SpecError:
                return None
            if not isinstance(value, (int, float)):
                return None
            result *= value
        return result

    def quantity(self, value: object, dimension: Dimension, *scales: object) -> str:
        number = self.number(value, *scales)
        if number is None:
            return f"{value}" + "".join(f" * ({s})" for s in scales if s != 1)
        return format_quantity(number, dimension)

    def dimension(self, spatial: Spatial) -> str:
        fanout = self.number(spatial.fanout)
        return f"{spatial.name} ×{spatial.fanout if fanout is None else f'{fanout:g}'}"

    def dimension_limits(self, spatial: Spatial) -> Iterable[str]:
        limits = []
        if spatial.reuse is not None:
            limits.append(f"reuse {spatial.reuse}")
        if spatial.may_reuse is not None:
            limits.append(f"may reuse {spatial.may_reuse}")
        if (usage := self.number(spatial.min_usage)) != 0:
            limits.append(f"usage at least {spatial.min_usage if usage is None else f'{usage:.0%}'}")
        limits += [f"{b.expression} {b.operator} {b.value}" for b in spatial.loop_bounds]
        if spatial.power_gateable is not False:
            condition = "" if spatial.power_gateable is True else f" if {spatial.power_gateable}"
            limits.append(f"power gateable{condition}")
        if limits:
            yield f"{spatial.name}: {', '.join(limits)}"

    def actions(self, node: Component) -> Iterable[str]:
        said: dict[str, list[str]] = {}  # what holds for several actions is said once
        for action in node.actions:
            parts = [p for p in (self.energy(node, action), self.rate(node, action), self.way(node, action)) if p]
            if parts:
                said.setdefault(", ".join(parts), []).append(action.name)
        yield from (f"{', '.join(names)} {cost}" for cost, names in said.items())
        if node.total_latency is not None:
            yield f"takes {node.total_latency}"

    def energy(self, node: Component, action: Action) -> str:
        if action.energy is None:
            return ""
        unit = "" if self.bits(node, action) is None else "/bit"
        scales = (action.energy_scale, node.energy_scale)
        if (each := per_bit(action.energy)) is not None:
            return self.quantity(each, Dimension.ENERGY_PER_BIT, *scales)
        number = self.number(action.energy, *scales)
        if number is None:
            return self.quantity(action.energy, Dimension.ENERGY, *scales)
        return format_quantity(number / (self.bits(node, action) or 1), Dimension.ENERGY) + unit

    def rate(self, node: Component, action: Action) -> str:
        """What one instance can do in a second: bytes where an action moves bits, else actions."""
        if action.throughput is None:
            return ""
        scales = (action.throughput_scale, node.throughput_scale, node.n_parallel_instances)
        each = per_bit(action.throughput)
        number = self.number(action.throughput if each is None else each, *scales)
        if number is None:
            return f"{self.quantity(action.throughput, Dimension.RATE, *scales)} per second"
        slower = self.number(action.latency_scale, node.latency_scale)
        if slower is not None and slower > 0:
            number /= slower
        if math.isinf(number):
            return "" if isinstance(node, TensorHolder | Network) else "takes no time"
        bits = self.bits(node, action) if each is None else 1.0
        if bits is None:
            return format_quantity(number, Dimension.RATE)
        return format_quantity(number * bits, Dimension.BANDWIDTH)

    def way(self, node: Component, action: Action) -> str:
        """How long a value takes over one link of a network."""
        scales = (action.latency_scale, node.latency_scale)
        if not isinstance(node, Network) or action.latency is None or self.number(action.latency) == 0:
            return ""
        return f"takes {self.quantity(action.latency, Dimension.TIME, *scales)}"

    def bits(self, node: Component, action: Action) -> float | None:
        """Bits that one action moves; None for computes and where actions are counted in values."""
        if not isinstance(node, TensorHolder | Network) or action.values_per_action:
            return None
        if isinstance(node, TensorHolder) and node.values_per_action:
            return None
        own = action.bits_per_action if action.bits_per_action is not None else node.bits_per_action
        return 1.0 if own is None else self.number(own)

    def holding(self, node: TensorHolder) -> Iterable[str]:
        rules = node.tensors
        words = {"keep": rules.keep, "may keep": rules.may_keep, "bypass": rules.bypass, "back": rules.back}
        said = [f"{word} {value}" for word, value in words.items() if value is not None]
        if said:
            yield ", ".join(said)

    def size_and_leak(self, node: Hardware) -> Iterable[str]:
        said = []
        if node.area is not None and self.number(node.area) != 0:
            said.append(f"area {self.quantity(node.area, Dimension.AREA, node.area_scale)}")
        if node.leak_power is not None and self.number(node.leak_power) != 0:
            said.append(f"leaks {self.quantity(node.leak_power, Dimension.POWER, node.leak_power_scale)}")
        if (copies := self.number(node.n_parallel_instances)) != 1:
            said.append(f"{node.n_parallel_instances if copies is None else f'{copies:g}'} instances share the work")
        if said:
            yield ", ".join(said)
