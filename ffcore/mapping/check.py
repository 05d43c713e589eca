"""Does a mapping tree fit its workload and architecture? Every problem found, with its line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ffcore.errors import ErrorCollector, Position, suggest
from ffcore.mapping import nest as flat
from ffcore.mapping import tree
from ffcore.mapping.convert import nest_of
from ffcore.mapping.paths import path_components
from ffcore.spec.problem import Component, ComponentKind, EinsumProblem, Problem


def check_mapping(problem: Problem, mapping: tree.MappingTree) -> None:
    """Raise SpecError that lists everything in ``mapping`` that does not fit ``problem``.

    Checks names (with the nearest known one), that each Einsum is mapped once and in workload order,
    that tile sizes divide and leave no work undone, that a memory holds each tensor, and that Einsums
    share all loops above the first memory of a tensor that they share. The constraints of the architecture
    are another matter: see `ffcore.model.constraints.check_nest`.
    """
    errors = ErrorCollector()
    _Checker(problem, errors).check(mapping)
    errors.raise_if_any()


class _Checker:
    def __init__(self, problem: Problem, errors: ErrorCollector) -> None:
        self.problem = problem
        self.errors = errors

    def check(self, mapping: tree.MappingTree) -> None:
        for end in tree.loose_ends(mapping):
            self.errors.add("this path ends without a !Compute", end.position)
        branches = tree.branches(mapping)
        names = [b.compute.einsum for b in branches]
        self._einsums(branches)
        known = [b for b in branches if b.compute.einsum in self.problem.einsum]
        self._unused(known)
        before = len(self.errors)
        for branch in known:
            self._branch(self.problem.einsum[branch.compute.einsum], branch)
        missing = [e.name for e in self.problem.einsums if e.name not in names]
        if missing:
            self.errors.add(f"no !Compute for Einsum {', '.join(missing)}", mapping.position)
        elif len(self.errors) == before:
            self._shared(known)

    def _einsums(self, branches: Sequence[tree.Branch]) -> None:
        """Every Einsum is one of the workload's, mapped once, in workload order."""
        order = [e.name for e in self.problem.einsums]
        last = -1
        seen: set[str] = set()
        for branch in branches:
            name, position = branch.compute.einsum, branch.compute.position
            if name not in order:
                self._unknown("Einsum", name, order, position)
                continue
            if name in seen:
                self.errors.add(f"Einsum {name} is mapped twice", position)
            elif order.index(name) < last:
                self.errors.add(f"Einsum {name} must run before {order[last]}, as in the workload", position)
            seen.add(name)
            last = max(last, order.index(name))

    def _unused(self, branches: Sequence[tree.Branch]) -> None:
        """Names in storages and loops that no Einsum below them has."""
        below: dict[int, tuple[tree.Leaf, list[EinsumProblem]]] = {}
        for branch in branches:
            for node in branch.nodes:
                below.setdefault(id(node), (node, []))[1].append(self.problem.einsum[branch.compute.einsum])
        tensors = [t for e in self.problem.einsums for t in e.read_as]
        for node, einsums in below.values():
            names = [e.name for e in einsums]
            if isinstance(node, tree.Storage | tree.Toll):
                for tensor in node.tensors:
                    if tensor not in tensors:
                        self._unknown("tensor", tensor, tensors, node.position)
                    elif not any(tensor in e.read_as for e in einsums):
                        self.errors.add(f"no Einsum below uses tensor {tensor} ({_list(names)})", node.position)
                self._per_einsum(node.einsums or (), names, node.position)
            else:
                fields = [node.rank_variable, node.tile_shape]
                if isinstance(node, tree.Spatial):
                    fields += [node.component, node.name]
                for field in fields:
                    self._per_einsum(field if isinstance(field, Mapping) else (), names, node.position)

    def _per_einsum(self, given: Iterable[str], below: Sequence[str], position: Position | None) -> None:
        for name in given:
            if name not in below:
                self._unknown("Einsum below", name, below, position)

    def _branch(self, einsum: EinsumProblem, branch: tree.Branch) -> None:
        """One Einsum's path: components, rank variables, tile sizes, tensors held."""
        computes = [p.names[-1] for p in einsum.paths]
        if branch.compute.component not in computes:
            what = f"compute that runs Einsum {einsum.name}"
            self._unknown(what, branch.compute.component, computes, branch.compute.position)
            return
        if not self._fields_given(einsum, branch):
            return
        nest = nest_of(einsum, branch)
        components = {c.name: c for c in path_components(einsum, nest)}
        self._holders(einsum, branch, components)
        self._loops(einsum, branch, components)

    def _fields_given(self, einsum: EinsumProblem, branch: tree.Branch) -> bool:
        """A loop written per Einsum must give all of its fields for an Einsum that it names."""
        complete = True
        for node in branch.nodes:
            if isinstance(node, tree.Storage | tree.Toll) or tree.of_einsum(node.rank_variable, einsum.name) is None:
                continue
            fields = {"tile_shape": tree.of_einsum(node.tile_shape, einsum.name)}
            values: dict[str, object] = dict(fields)
            if isinstance(node, tree.Spatial):
                values["component"] = tree.of_einsum(node.component, einsum.name)
                values["name"] = tree.of_einsum(node.name, einsum.name)
            for name, value in values.items():
                if value is None:
                    self.errors.add(f"the loop has no {name} for Einsum {einsum.name}", node.position)
                    complete = False
        return complete

    def _holders(self, einsum: EinsumProblem, branch: tree.Branch, components: Mapping[str, Component]) -> None:
        kept: set[str] = set()
        kinds = {tree.Storage: ComponentKind.MEMORY, tree.Toll: ComponentKind.TOLL}
        for node in branch.nodes:
            if not isinstance(node, tree.Storage | tree.Toll):
                continue
            kind = kinds[type(node)]
            known = [c.name for c in components.values() if c.kind is kind]
            if node.component not in known:
                what = f"{kind.value} on the way to {branch.compute.component}"
                self._unknown(what, node.component, known, node.position)
            elif kind is ComponentKind.MEMORY and (node.einsums is None or einsum.name in node.einsums):
                kept.update(a for t in node.tensors for a in einsum.read_as.get(t, ()))
        for tensor in einsum.tensor:
            if tensor not in kept:
                self.errors.add(
                    f"no memory holds tensor {einsum.written(tensor)} of Einsum {einsum.name}", branch.compute.position
                )

    def _loops(self, einsum: EinsumProblem, branch: tree.Branch, components: Mapping[str, Component]) -> None:
        sizes, seen = dict(einsum.bounds), set[str]()
        for node in branch.nodes:
            if isinstance(node, tree.Storage | tree.Toll):
                continue
            variable, tile = (
                tree.of_einsum(node.rank_variable, einsum.name),
                tree.of_einsum(node.tile_shape, einsum.name),
            )
            if variable is None or tile is None:
                continue
            if variable not in sizes:
                self._unknown(f"rank variable of Einsum {einsum.name}", variable, list(sizes), node.position)
                continue
            extent, place = sizes[variable], f"the loop over {variable} of Einsum {einsum.name}"
            if tile > extent:
                self.errors.add(f"{place} has tile {tile}, more than the extent above it, {extent}", node.position)
            elif extent % tile and variable in seen:
                # Only a rank variable's outermost loop may have an imperfect factor.
                self.errors.add(f"{place} has tile {tile}, which does not divide the {extent} above it", node.position)
            elif extent % tile and any(variable in t.compound for t in einsum.tensors):
                self.errors.add(
                    f"{place} has tile {tile}, which does not divide the {extent} above it, "
                    "as it must for a variable inside an expression",
                    node.position,
                )
            sizes[variable] = min(tile, extent)
            seen.add(variable)
            if isinstance(node, tree.Spatial):
                self._dimension(einsum, node, components)
        for variable, size in sizes.items():
            if size != 1:
                self.errors.add(
                    f"Einsum {einsum.name} leaves work undone: the innermost tile of {variable} is {size}, not 1",
                    branch.compute.position,
                )

    def _dimension(self, einsum: EinsumProblem, node: tree.Spatial, components: Mapping[str, Component]) -> None:
        name, dimension = tree.of_einsum(node.component, einsum.name), tree.of_einsum(node.name, einsum.name)
        if name is None or dimension is None:
            return
        if name not in components:
            self._unknown(f"component on the path of Einsum {einsum.name}", name, list(components), node.position)
            return
        known = [d.name for d in components[name].spatial]
        if dimension not in known:
            self._unknown(f"spatial dimension of {name}", dimension, known, node.position)

    def _shared(self, branches: Sequence[tree.Branch]) -> None:
        """Einsums that share a tensor share all the loops above its first memory."""
        first: dict[str, tuple[str, list[int]]] = {}
        for branch in branches:
            einsum = self.problem.einsum[branch.compute.einsum]
            for tensor in einsum.names:
                node, loops = _loops_above(einsum, branch, tensor)
                other, expected = first.setdefault(tensor, (einsum.name, loops))
                if loops != expected:
                    self.errors.add(
                        f"Einsums {other} and {einsum.name} share tensor {tensor}, but not all the loops "
                        "above its first memory",
                        node.position,
                    )

    def _unknown(self, what: str, name: str, known: Sequence[str], position: Position | None) -> None:
        near = suggest(name, known)
        listed = "" if near else f" (there are: {_list(known)})"
        self.errors.add(f"there is no {what} {name!r}{listed}", position, near)


def _loops_above(einsum: EinsumProblem, branch: tree.Branch, tensor: str) -> tuple[tree.Leaf, list[int]]:
    """The tensor's first memory in the branch, and the loops above it (by identity) that run more than once."""
    sizes = dict(einsum.bounds)
    loops: list[int] = []
    for node in branch.nodes:
        if isinstance(node, tree.Storage | tree.Toll):
            held = {a for name in node.tensors for a in einsum.read_as.get(name, ())}
            if tensor in held and (node.einsums is None or einsum.name in node.einsums):
                return node, loops
            continue
        own = nest_of(einsum, tree.Branch((node,), branch.compute)).nodes
        for loop in own:
            if not isinstance(loop, flat.Holder):
                if sizes[loop.variable] > loop.tile:
                    loops.append(id(node))
                sizes[loop.variable] = loop.tile
    raise AssertionError(f"{tensor} is held nowhere")  # _holders has noted that already


def _list(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names)) or "none"
