"""Between one nest for each Einsum and the mapping tree that shows what they share."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import attrs

from ffcore.mapping import nest as flat
from ffcore.mapping import tree
from ffcore.mapping.nest import Nest
from ffcore.mapping.paths import MappingError, deepest_alive, path_components, settled
from ffcore.mapping.placement import Placement, Rest
from ffcore.spec.problem import ComponentKind, EinsumProblem, Problem


def tree_to_nests(problem: Problem, mapping: tree.MappingTree) -> tuple[Nest, ...]:
    """One nest for each Einsum, in workload order.

    Loops that run once are deleted, but for those that keep a reservation from sinking, and the order of holders that
    no loop separates is that which takes least room (see `settled`). Raises MappingError if an Einsum is missing,
    unknown or mapped twice, or if a loop does not apply to an Einsum below it; `check_mapping` finds more, and names
    the lines.
    """
    nests: dict[str, Nest] = {}
    for branch in tree.branches(mapping):
        name = branch.compute.einsum
        if name not in problem.einsum:
            raise MappingError(f"the workload has no Einsum {name!r}")
        if name in nests:
            raise MappingError(f"Einsum {name} is mapped twice")
        nests[name] = settled(problem.einsum[name], nest_of(problem.einsum[name], branch))
    missing = [e.name for e in problem.einsums if e.name not in nests]
    if missing:
        raise MappingError(f"the mapping has no Compute for {', '.join(missing)}")
    return tuple(nests[e.name] for e in problem.einsums)


def nest_of(einsum: EinsumProblem, branch: tree.Branch) -> Nest:
    """The branch as one Einsum sees it: its own tensors, its own names of the loops."""
    nodes: list[flat.NestNode] = []
    for node in branch.nodes:
        if isinstance(node, tree.Storage | tree.Toll):
            if node.einsums is None or einsum.name in node.einsums:
                accesses = [a for t in node.tensors for a in einsum.read_as.get(t, ())]
                nodes += [flat.Holder(a, node.component) for a in accesses]
            continue
        variable, tile = tree.of_einsum(node.rank_variable, einsum.name), tree.of_einsum(node.tile_shape, einsum.name)
        if variable is None:
            continue
        if tile is None:
            raise MappingError(f"a loop over {variable} has no tile_shape for Einsum {einsum.name}")
        if isinstance(node, tree.Temporal):
            nodes.append(flat.Temporal(variable, tile))
            continue
        component, name = tree.of_einsum(node.component, einsum.name), tree.of_einsum(node.name, einsum.name)
        if component is None or name is None:
            raise MappingError(f"a spatial loop over {variable} has no component or name for Einsum {einsum.name}")
        nodes.append(flat.Spatial(variable, tile, component, name))
    return Nest(einsum.name, branch.compute.component, tuple(nodes))


def nests_to_tree(problem: Problem, nests: Sequence[Nest]) -> tree.MappingTree:
    """The tree of nests that fit together (see `evaluate_joint`), given in workload order.

    before: ``A: [T0 W0] for m: [T1] for k``, ``B: [T2 W1] for m: [T1] for n``
    after: ``[T0 W0 T2 W1] for m: [T1] Sequential(for k: A | for n: B)``

    Reading the tree back gives the same nests, but for loops that run once.
    """
    for einsum, nest in zip(problem.einsums, nests, strict=True):
        if einsum.name != nest.einsum:
            raise MappingError(f"nests must come in workload order: {nest.einsum} stands in the place of {einsum.name}")
    return _Merger(problem, nests).merge()


class _Merger:
    """Merges nests from the outside in, Einsums that share a loop together."""

    def __init__(self, problem: Problem, nests: Sequence[Nest]) -> None:
        users: dict[str, list[int]] = {}
        for place, einsum in enumerate(problem.einsums):
            for name in einsum.read_as:
                users.setdefault(name, []).append(place)
        tensors = {name for einsum in problem.einsums for name in einsum.names}
        self.shared = {name for name, places in users.items() if len(places) > 1 and name in tensors}
        self.users = users
        self.rests = [self._rest(e, settled(e, n)) for e, n in zip(problem.einsums, nests, strict=True)]
        self.depths = [self._depths(rest) for rest in self.rests]
        # joins[i]: loops that Einsum i shares with those before it.
        spans = [(places[0], places[-1], self.depths[places[0]].get(t, 0)) for t, places in users.items()]
        self.joins = [0 if i is None else spans[i][2] for i in deepest_alive(len(nests), spans)]

    def merge(self) -> tree.MappingTree:
        return tree.MappingTree(tuple(self._merge(list(range(len(self.rests))), 0)))

    def _rest(self, einsum: EinsumProblem, nest: Nest) -> Rest:
        nodes = _as_written(einsum, nest)
        tolls = {c.name for c in path_components(einsum, nest) if c.kind is ComponentKind.TOLL}
        backing: dict[str, flat.NestNode] = {}
        for node in nodes:
            if isinstance(node, flat.Holder) and node.tensor in self.shared:
                backing.setdefault(node.tensor, node)
        return Rest(einsum, nest.compute, nodes, dict(einsum.bounds), frozenset(backing.values()), frozenset(tolls))

    def _depths(self, rest: Rest) -> dict[str, int]:
        """Loops above the backing holder of each shared tensor."""
        depth, depths = 0, {}
        sizes = dict(rest.sizes)
        for node in rest.nodes:
            if isinstance(node, flat.Holder):
                if node in rest.shared:
                    depths[node.tensor] = depth
            else:
                depth += sizes[node.variable] > node.tile
                sizes[node.variable] = node.tile
        return depths

    def _merge(self, group: list[int], level: int) -> list[tree.Node]:
        """Nodes for the Einsums of ``group``, which have shared the outer ``level`` loops."""
        if len(group) == 1:
            return self._alone(group[0])
        parts = self._split(group, level)
        nodes = self._holders(group, parts)
        if len(parts) == 1:
            loop = self._common_loop(group)
            if loop is not None:
                return [*nodes, loop, *self._merge(group, level + 1)]
            parts = [[place] for place in group]
        return [*nodes, tree.Sequential(tuple(tree.Nested(tuple(self._merge(part, level))) for part in parts))]

    def _split(self, group: list[int], level: int) -> list[list[int]]:
        parts = [[group[0]]]
        for place in group[1:]:
            if self.joins[place] > level:
                parts[-1].append(place)
            else:
                parts.append([place])
        return parts

    def _alone(self, place: int) -> list[tree.Node]:
        rest = self.rests[place]
        nodes: list[tree.Node] = []
        while rest.nodes:
            _append(nodes, _own_node(rest, [rest.einsum.name], rest.take(), everywhere=True))
        return [*nodes, tree.Compute(rest.einsum.name, rest.compute)]

    def _holders(self, group: list[int], parts: list[list[int]]) -> list[tree.Node]:
        """Place what stands above the group's next loops, keeping each Einsum's order.

        Of a group that splits, only what stands above a holder that several parts need is placed here.
        """
        nodes: list[tree.Node] = []
        placement = Placement(self.rests, parts)
        while taken := placement.next():
            node = placement.take(taken)
            names = [self.rests[p].einsum.name for p in taken]
            users = self._users(node, group)
            _append(nodes, _own_node(self.rests[taken[0]], names, node, everywhere=users == taken))
        return nodes

    def _users(self, node: flat.NestNode, group: list[int]) -> list[int]:
        """The Einsums of the group, which follow one another, that use what a holder holds."""
        places = self.users.get(node.tensor, []) if isinstance(node, flat.Holder) else []
        return places[bisect_left(places, group[0]) : bisect_right(places, group[-1])]

    def _common_loop(self, group: list[int]) -> tree.Node | None:
        """The loop that all of the group run next, or None if their loops differ."""
        rests = [self.rests[p] for p in group]
        heads = [r.head for r in rests]
        kinds = {type(h) for h in heads}
        if len(kinds) != 1 or None in heads:
            return None
        if len({r.trips(h) for r, h in zip(rests, heads, strict=True) if h and not isinstance(h, flat.Holder)}) != 1:
            return None
        loops = {r.einsum.name: r.take() for r in rests}
        return _loop(loops)


def _as_written(einsum: EinsumProblem, nest: Nest) -> list[flat.NestNode]:
    """The nodes of a nest as a tree has them: one backing holder for all accesses of a tensor.

    before: ``[X] in DRAM, [X@2] in DRAM, [X] in Buffer``; after: ``[X] in DRAM, [X@1] in Buffer``.
    """
    nodes: list[flat.NestNode] = []
    seen: set[str] = set()
    for node in nest.nodes:
        if not isinstance(node, flat.Holder) or node.tensor not in einsum.tensor:
            nodes.append(node)
        elif node.tensor in seen:
            nodes.append(attrs.evolve(node, tensor=einsum.written(node.tensor)))
        else:
            base = einsum.tensor[node.tensor].base
            if not seen & set(einsum.accesses.get(base, ())):
                nodes.append(attrs.evolve(node, tensor=base))
            seen.add(node.tensor)
    return nodes


def _own_node(rest: Rest, names: list[str], node: flat.NestNode, everywhere: bool) -> tree.Node:
    """A node for the Einsums ``names`` only; ``everywhere`` says that nobody else would apply it."""
    if isinstance(node, flat.Holder):
        kind = tree.Toll if node.component in rest.tolls else tree.Storage
        return kind((node.tensor,), node.component, None if everywhere else tuple(names))
    if everywhere:
        return _loop({rest.einsum.name: node}, plain=True)
    return _loop({rest.einsum.name: node}, plain=False)


def _loop(loops: dict[str, flat.NestNode], plain: bool = True) -> tree.Node:
    """One loop for the Einsums named; each field a plain value where all agree."""

    def field(name: str) -> object:
        values = {einsum: getattr(loop, name) for einsum, loop in loops.items()}
        return next(iter(values.values())) if plain and len(set(values.values())) == 1 else values

    if all(isinstance(loop, flat.Temporal) for loop in loops.values()):
        return tree.Temporal(field("variable"), field("tile"))  # type: ignore[arg-type]
    return tree.Spatial(field("variable"), field("tile"), field("component"), field("dimension"))  # type: ignore[arg-type]


def _append(nodes: list[tree.Node], node: tree.Node) -> None:
    """Add a node; a storage joins the one before it if both are in one memory, for the same Einsums."""
    last = nodes[-1] if nodes else None
    if (
        isinstance(node, tree.Storage | tree.Toll)
        and isinstance(last, tree.Storage | tree.Toll)
        and type(node) is type(last)
        and (node.component, node.einsums) == (last.component, last.einsums)
        and not set(node.tensors) & set(last.tensors)
    ):
        nodes[-1] = attrs.evolve(last, tensors=last.tensors + node.tensors)
    else:
        nodes.append(node)
