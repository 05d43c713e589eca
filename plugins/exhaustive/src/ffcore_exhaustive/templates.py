"""All templates of an Einsum: holders in order, and the loops between them (semantics, section 2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from ffcore.plugin import (
    Component,
    ComponentKind,
    EinsumProblem,
    Holder,
    MapperOptions,
    Nest,
    NestNode,
    NoValidMappingError,
    Relevance,
    Spatial,
    SpatialDimension,
    Temporal,
)
from ffcore_exhaustive.accesses import allowed_above, several
from ffcore_exhaustive.holders import HolderChoice, HolderOrder, as_holder, holder_choices, holder_orders


@attrs.frozen
class Template:
    """A nest with open tile sizes: the ``tile`` of every loop in ``nodes`` is a placeholder (0)."""

    einsum: EinsumProblem
    components: tuple[Component, ...]  # from the root to the compute, as evaluated for these holders
    nodes: tuple[NestNode, ...]

    def loops(self) -> list[Temporal | Spatial]:
        return [n for n in self.nodes if not isinstance(n, Holder)]

    def component(self, name: str) -> Component:
        return next(c for c in self.components if c.name == name)

    def nest(self, tiles: Sequence[int]) -> Nest:
        """The pmapping with the given tile size for each loop, outermost first."""
        sizes = iter(tiles)
        nodes = [n if isinstance(n, Holder) else attrs.evolve(n, tile=next(sizes)) for n in self.nodes]
        return Nest(self.einsum.name, self.components[-1].name, tuple(nodes))

    def last_fused_node(self) -> int:
        """Index of the last backing holder of a shared tensor; -1 if no tensor is shared."""
        backing: dict[str, int] = {}
        for index, node in enumerate(self.nodes):
            if isinstance(node, Holder) and not self.is_toll(node):
                backing.setdefault(node.tensor, index)
        return max((i for t, i in backing.items() if t in self.einsum.shared), default=-1)

    def is_toll(self, holder: Holder) -> bool:
        return self.component(holder.component).kind is ComponentKind.TOLL


def templates(einsum: EinsumProblem, options: MapperOptions) -> list[Template]:
    """All templates of an Einsum, over all of its paths.

    Orders of neighbours between which no loop is possible count once, unless they differ in
    where a reservation stands.

    Raises:
        NoValidMappingError: no choice of holders leaves every tensor in some memory.
    """
    found: dict[object, Template] = {}
    any_choice = False
    for path in einsum.paths:
        for choice in holder_choices(einsum, path):
            any_choice = True
            for order in holder_orders(einsum, options, choice):
                for nodes in _with_loops(einsum, choice, order):
                    template = _without_removed(Template(einsum, choice.components, tuple(nodes)))
                    if _covers_all_variables(template):
                        found.setdefault(_canonical(template), template)
    if not any_choice:
        raise NoValidMappingError(_nowhere_message(einsum), einsum=einsum.name)
    return list(found.values())


def _nowhere_message(einsum: EinsumProblem) -> str:
    reachable: set[str] = set()
    for path in einsum.paths:
        held: dict[str, frozenset[str]] = {}
        for index, name in enumerate(path.names):
            component = path.component(index, held)
            if component.kind is ComponentKind.MEMORY and component.holding is not None:
                held[name] = component.holding.must | component.holding.may
                reachable |= held[name]
    missing = sorted(frozenset(einsum.tensor) - reachable) or sorted(einsum.tensor)
    return f"Einsum {einsum.name}: no choice of holders leaves tensor {', '.join(missing)} in any memory"


# ---- where loops may stand


def _with_loops(einsum: EinsumProblem, choice: HolderChoice, order: HolderOrder) -> Iterator[list[NestNode]]:
    """The holders of ``order`` with all loops that may stand between them.

    Gap 0 follows G0, gap i follows the i-th further holder. A gap is: temporal loops, then
    spatial loops and Tolls from the outermost component in. Gap -1 is above everything.
    """
    temporal = [_temporal_candidates(einsum, choice, order, gap) for gap in range(len(order.rest) + 1)]
    looped = {variable for candidates in temporal for variable in candidates}
    below_backing = _gap_below_last_backing(choice, order)
    missing = [v for v in einsum.bounds if v not in looped]
    tails: list[list[NestNode]] = [[] for _ in temporal]
    tails[below_backing] += [Temporal(v, 0) for v in missing]
    outermost: list[NestNode] = []
    for gap, nodes in _spatial_and_tolls(einsum, choice, order):
        (tails[gap] if gap >= 0 else outermost).extend(nodes)

    def fill(gap: int) -> Iterator[list[NestNode]]:
        if gap == len(temporal):
            yield []
            return
        above = [order.rest[gap - 1]] if gap else list(order.first)
        for variables in _loop_orders(einsum, choice, above, temporal[gap]):
            head: list[NestNode] = [as_holder(choice, h) for h in above]
            head += [Temporal(v, 0) for v in variables]
            head += tails[gap]
            for below in fill(gap + 1):
                yield head + below

    for nodes in fill(0):
        yield outermost + nodes


def _temporal_candidates(einsum: EinsumProblem, choice: HolderChoice, order: HolderOrder, gap: int) -> list[str]:
    """Rank variables that may have a temporal loop in a gap, in the order of the bounds."""
    candidates = set(einsum.bounds)
    held = {t for _, t in order.first} | {t for _, t in order.rest[:gap]}
    if _within_one(einsum, choice, order, gap):
        return []
    for tensor in einsum.tensors:
        if tensor.name not in held:
            candidates &= allowed_above(einsum, tensor.name)
    above = order.rest[gap - 1] if gap else None  # all of G0 is backing
    kept: set[str] = {v for _, t in order.first for v in einsum.tensor[t].partially_relevant}
    if above is not None:
        tensor = einsum.tensor[above[1]]
        kept = set(tensor.partially_relevant)
        joined = gap - 1
        while joined > 0 and _within_one(einsum, choice, order, joined):  # the accesses of one backing holder
            joined -= 1
            kept |= einsum.tensor[order.rest[joined][1]].partially_relevant
        if choice.backing(above[1]) != above[0]:
            candidates -= tensor.fully_relevant
    if gap < len(order.rest) and held >= einsum.shared & frozenset(einsum.tensor):
        below = einsum.tensor[order.rest[gap][1]]
        candidates &= below.variables | kept
    return [v for v in einsum.bounds if v in candidates]


def _within_one(einsum: EinsumProblem, choice: HolderChoice, order: HolderOrder, gap: int) -> bool:
    """Is a gap between backing holders of accesses of one tensor, which are one holder?"""
    if not 0 < gap < len(order.rest):
        return False
    (_, a), (at, b) = order.rest[gap - 1 : gap + 1]
    same = (einsum.tensor[a].access_of or a) == (einsum.tensor[b].access_of or b)
    return same and a != b and choice.backing(a) == choice.backing(b) == order.rest[gap - 1][0] == at


def _loop_orders(
    einsum: EinsumProblem, choice: HolderChoice, above: list[tuple[int, str]], variables: list[str]
) -> list[list[str]]:
    """The orders of a gap's loops that matter: one per first variable that is partially relevant
    to the tensor just above (its reservation sinks through that loop); backing reservations do
    not sink, so that below them one order does."""
    if len(above) != 1 or choice.backing(above[0][1]) == above[0][0]:
        return [variables]
    partial = [v for v in variables if v in einsum.tensor[above[0][1]].partially_relevant]
    if len(variables) < 2 or not partial:
        return [variables]
    return [[first, *(v for v in variables if v != first)] for first in partial]


def _gap_below_last_backing(choice: HolderChoice, order: HolderOrder) -> int:
    backing = [i for i, (index, tensor) in enumerate(order.rest) if choice.backing(tensor) == index]
    return backing[-1] + 1 if backing else 0


def _spatial_and_tolls(
    einsum: EinsumProblem, choice: HolderChoice, order: HolderOrder
) -> Iterator[tuple[int, list[NestNode]]]:
    """(gap, nodes) for each component that has spatial loops or is a Toll, outermost first."""
    tolls = choice.holders(ComponentKind.TOLL)
    for index, component in enumerate(choice.components):
        gap = max((g for g, h in enumerate(order.rest, 1) if h[0] < index), default=0)
        held = {t for _, t in order.first} | {t for _, t in order.rest[:gap]}
        if not any(h[0] < index for h in (*order.first, *order.rest)):
            gap, held = -1, set()  # nothing stands above: each instance has memories of its own from the outermost on
        spatial = [
            Spatial(variable, 0, component.name, dimension.name)
            for dimension in component.spatial
            if dimension.fanout > 1
            for variable in einsum.bounds
            if _may_be_spatial(einsum, variable, held) and _splits_alike(einsum, choice, index, variable)
        ]
        if spatial:
            yield gap, list(spatial)
        for toll_index, tensor in tolls:
            if toll_index == index:
                toll_gap = _toll_gap(order, index, tensor, max(0, gap) if component.fanout > 1 else 0)
                while _within_one(einsum, choice, order, toll_gap):
                    toll_gap += 1
                yield toll_gap, [Holder(tensor, component.name)]


def _may_be_spatial(einsum: EinsumProblem, variable: str, held: set[str]) -> bool:
    return all(
        tensor.name in held or variable in allowed_above(einsum, tensor.name)
        for tensor in einsum.tensors
        if tensor.output or tensor.name in einsum.intermediates
    )


def _splits_alike(einsum: EinsumProblem, choice: HolderChoice, index: int, variable: str) -> bool:
    """Each instance of a component has its own of what memories from there on hold first: with several accesses of a
    tensor, loops across it must split all of them alike."""
    return all(
        choice.backing(own[0].name) < index or variable in allowed_above(einsum, own[0].name) for own in several(einsum)
    )


def _toll_gap(order: HolderOrder, index: int, tensor: str, lowest_spatial: int) -> int:
    """As high as legal: below the tensor's outer memory and the Toll's own spatial loops; never
    past the tensor's next memory (which orders that ignore the hierarchy could put above)."""
    outer = max((g for g, h in enumerate(order.rest, 1) if h[1] == tensor and h[0] < index), default=0)
    inner = min((g for g, h in enumerate(order.rest) if h[1] == tensor and h[0] > index), default=len(order.rest))
    return min(max(outer, lowest_spatial), inner)


# ---- what constraints remove


def _without_removed(template: Template) -> Template:
    """The template without the loops that constraints forbid."""
    keep = [
        isinstance(node, Holder)
        or (isinstance(node, Spatial) and not _spatial_removed(template, node))
        or (isinstance(node, Temporal) and not _temporal_removed(template, position, node))
        for position, node in enumerate(template.nodes)
    ]
    return attrs.evolve(template, nodes=tuple(n for n, k in zip(template.nodes, keep, strict=True) if k))


def dimension_of(template: Template, loop: Spatial) -> SpatialDimension:
    """The dimension that a spatial loop runs across."""
    return next(d for d in template.component(loop.component).spatial if d.name == loop.dimension)


def _spatial_removed(template: Template, loop: Spatial) -> bool:
    dimension = dimension_of(template, loop)
    tensor = template.einsum.tensor
    reused = any(loop.variable in tensor[t].variables for t in dimension.reuse if t in tensor)
    bounded = any(
        loop.variable in b.variables and b.value == 1 and b.operator in ("==", "<=", "product==", "product<=")
        for b in dimension.loop_bounds
    )
    return reused or bounded


def _temporal_removed(template: Template, position: int, loop: Temporal) -> bool:
    """Does ``no_refetch_from_above`` or ``no_resend_to_below`` of some holder forbid the loop?"""
    for tensor in template.einsum.tensors:
        if tensor.relevance(loop.variable) is Relevance.RELEVANT:
            continue
        own = [
            (i, n)
            for i, n in enumerate(template.nodes)
            if isinstance(n, Holder) and n.tensor == tensor.name and not template.is_toll(n)
        ]
        for k, (at, holder) in enumerate(own):
            holding = template.component(holder.component).holding
            assert holding is not None
            if tensor.name in holding.no_refetch_from_above and own[0][0] < position < at:
                return True
            below = own[k + 1][0] if k + 1 < len(own) else len(template.nodes)
            if tensor.name in holding.no_resend_to_below and at < position < below:
                return True
    return False


def _covers_all_variables(template: Template) -> bool:
    looped = {loop.variable for loop in template.loops()}
    return all(bound == 1 or v in looped for v, bound in template.einsum.bounds.items())


# ---- which templates are the same


def _canonical(template: Template) -> object:
    """Equal for templates that differ only in the order of holders without a loop between them."""
    runs: list[object] = []
    current: list[tuple[str, str, int]] = []
    for position, node in enumerate(template.nodes):
        if isinstance(node, Holder):
            current.append((node.component, node.tensor, reservation_level(template, position)))
        else:
            runs += [tuple(sorted(current)), node]
            current = []
    return template.components[-1].name, (*runs, tuple(sorted(current)))


def reservation_level(template: Template, position: int) -> int:
    """Loops above the reservation of the holder at ``position``, those that may run once included."""
    holder = template.nodes[position]
    assert isinstance(holder, Holder)
    tensor = template.einsum.tensor[holder.tensor]
    level = sum(not isinstance(n, Holder) for n in template.nodes[:position])
    if not any(isinstance(n, Holder) and n.tensor == tensor.name for n in template.nodes[:position]):
        return level  # a backing holder
    for node in template.nodes[position + 1 :]:
        if isinstance(node, Holder):
            break
        if isinstance(node, Spatial):
            if node.component != holder.component:
                break
        elif tensor.relevance(node.variable) is Relevance.IRRELEVANT:
            break
        level += 1
        if isinstance(node, Temporal) and tensor.relevance(node.variable) is Relevance.PARTIAL:
            break
    return level
