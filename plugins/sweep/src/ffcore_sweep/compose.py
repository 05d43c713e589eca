"""Points that differ in numbers of components and options of the mapper alone are put together from a few of them.

To resolve a spec takes a tenth of a second. Of a family of points that differ in sizes, energies, throughputs, areas
and leakages of components, and in options of the mapper, one is resolved as it is, and for each component one for each
of its own values; the others' problems are made of these, component by component. When that is exact, and what is
resolved for it: ``separable.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING

import attrs

from ffcore.plugin import Component, EinsumProblem, Held, HolderChoice, PathProblem, Problem
from ffcore_sweep.axes import Value, in_si
from ffcore_sweep.kept import Kept

if TYPE_CHECKING:
    from ffcore.plugin import Spec
    from ffcore_sweep.points import Point

_KEPT = 512  # problems of a family that are kept
_numbers = count()

Values = Mapping[str, Value]


@attrs.frozen(eq=False)
class Variant:
    """One component with other values: as in a point that was resolved, or with another size (bits) alone."""

    point: Point | None
    choices: tuple[tuple[HolderChoice, ...], ...]  # of each Einsum, that component being as it is here
    size: float | None = None
    same: tuple[int, ...] = ()  # per Einsum, the first of the variants of equal content


@attrs.define(eq=False)
class ComposedPath:
    """A path, some of whose components are those of other paths, or have other sizes (bits)."""

    path: PathProblem
    paths: Mapping[int, PathProblem]
    sizes: Mapping[int, float]
    _memo: dict[int, tuple[Component, Component]] = attrs.Factory(dict)

    @property
    def names(self) -> tuple[str, ...]:
        """As of the path."""
        return self.path.names

    def component(self, index: int, held: Held) -> Component:
        """A component; memoised as the paths memoise."""
        if index in self.paths:
            return self.paths[index].component(index, held)
        plain = self.path.component(index, held)
        if index not in self.sizes:
            return plain
        known = self._memo.get(id(plain))
        if known is None or known[0] is not plain:
            known = self._memo[id(plain)] = plain, attrs.evolve(plain, size=self.sizes[index])
        return known[1]


@attrs.frozen(eq=False)
class _Parts:
    """What points of a family have in common that differ in options alone."""

    problem: Problem
    choices: tuple[tuple[HolderChoice, ...], ...]
    alike: tuple[Hashable, ...]
    areas: Mapping[str, float] | None


@attrs.define(eq=False)
class Family:
    """Points that are put together from some that were resolved: ``base``, and those of ``variants`` and ``options``.

    ``nodes``: the paths that each component's values are set by; ``options_paths``: those of options.
    """

    base: Point
    choices: tuple[tuple[HolderChoice, ...], ...]  # of the base
    nodes: Mapping[str, tuple[str, ...]]
    options_paths: tuple[str, ...]
    variants: Mapping[str, Mapping[str, Variant]]  # by component and the text of its values
    options: Mapping[str, Point]  # by the text of their values
    _number: int = attrs.field(factory=lambda: next(_numbers))
    _parts: Kept[_Parts] = attrs.field(factory=lambda: Kept(_KEPT))
    _areas: dict[int, Mapping[str, float] | None] = attrs.Factory(dict)

    def point(self, number: int, values: Values, spec_of: Callable[[Values], Spec]) -> Point:
        """One of the points."""
        key = tuple(text_of(values, paths) for paths in self.nodes.values())
        parts = self._parts.get(key, lambda: self._made(key))
        option = self.options[text_of(values, self.options_paths)]
        problem = attrs.evolve(
            parts.problem, options=option.problem.options, spec_hash=f"{self.base.problem.spec_hash}|{values!r}"
        )
        return attrs.evolve(
            option,
            number=number,
            values={path: in_si(value) for path, value in values.items()},
            given=values,
            problem=problem,
            spec_of=lambda: spec_of(values),
            areas_of=lambda: parts.areas,
            choices=parts.choices,
            alike=parts.alike,
        )

    def _made(self, key: tuple[str, ...]) -> _Parts:
        chosen = {node: self.variants[node][text] for node, text in zip(self.nodes, key, strict=True)}
        einsums, choices, alike = [], [], []
        for i, einsum in enumerate(self.base.problem.einsums):
            einsums.append(_einsum(i, einsum, chosen))
            choices.append(_choices(i, self.choices[i], chosen))
            alike.append((self._number, i, *(variant.same[i] for variant in chosen.values())))
        problem = attrs.evolve(self.base.problem, einsums=tuple(einsums))
        return _Parts(problem, tuple(choices), tuple(alike), self._areas_of(chosen))

    def _areas_of(self, chosen: Mapping[str, Variant]) -> Mapping[str, float] | None:
        areas = self._areas_at(self.base)
        if areas is None:
            return None
        found = dict(areas)
        for node, variant in chosen.items():
            if variant.point is not None and variant.point is not self.base and node in found:
                own = self._areas_at(variant.point)
                if own is None:
                    return None
                found[node] = own[node]
        return found

    def _areas_at(self, point: Point) -> Mapping[str, float] | None:
        if id(point) not in self._areas:
            self._areas[id(point)] = point.areas_of()
        return self._areas[id(point)]


def text_of(values: Values, paths: Sequence[str]) -> str:
    """What tells values of some paths apart: by their texts, as True and 1 are equal."""
    return repr([values[path] for path in paths])


def _einsum(number: int, plain: EinsumProblem, chosen: Mapping[str, Variant]) -> EinsumProblem:
    paths = []
    for k, path in enumerate(plain.paths):
        others, sizes = {}, {}
        for index, name in enumerate(path.names):
            variant = chosen.get(name)
            if variant is None:
                continue
            if variant.size is not None:
                sizes[index] = variant.size
            elif variant.point is not None:
                others[index] = variant.point.problem.einsums[number].paths[k]
        paths.append(ComposedPath(path, others, sizes))
    leaks = {leak.component: leak for leak in plain.leaks}
    for node, variant in chosen.items():
        if variant.point is not None:
            own = [leak for leak in variant.point.problem.einsums[number].leaks if leak.component == node]
            leaks.pop(node, None)
            leaks.update((leak.component, leak) for leak in own)
    order = _leak_order([plain, *(v.point.problem.einsums[number] for v in chosen.values() if v.point is not None)])
    return attrs.evolve(plain, paths=tuple(paths), leaks=tuple(leaks[name] for name in order if name in leaks))


def _leak_order(einsums: Sequence[EinsumProblem]) -> list[str]:
    """Names of what leaks, in the order of the architecture: which of them leak may differ."""
    names: list[str] = []
    for einsum in einsums:
        place = 0
        for leak in einsum.leaks:
            if leak.component in names:
                place = names.index(leak.component) + 1
            else:
                names.insert(place, leak.component)
                place += 1
    return names


def _choices(number: int, plain: Sequence[HolderChoice], chosen: Mapping[str, Variant]) -> tuple[HolderChoice, ...]:
    """The choices of the base, with the components of variants."""
    known: dict[tuple[str, int], Component] = {}

    def own(at: int, place: int, component: Component) -> Component:
        variant = chosen.get(component.name)
        if variant is None:
            return component
        if variant.size is None:
            return variant.choices[number][at].components[place]
        key = component.name, id(component)
        if key not in known:
            known[key] = attrs.evolve(component, size=variant.size)
        return known[key]

    return tuple(
        HolderChoice(tuple(own(at, k, c) for k, c in enumerate(choice.components)), choice.held, choice.tolls)
        for at, choice in enumerate(plain)
    )
