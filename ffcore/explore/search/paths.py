"""The templates of an Einsum by path, and what makes the rows of those that are the same down to the fused cut."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from itertools import product

import attrs
import numpy as np

from ffcore.errors import FFError
from ffcore.explore.memory import uncollected
from ffcore.explore.reuse.keys import key_of
from ffcore.explore.search.beat import coarser, guard, guard_all
from ffcore.explore.search.bookings import Columns, columns_of
from ffcore.explore.search.field import Field
from ffcore.explore.search.judging import Enough
from ffcore.explore.search.labels import Labeller, Node
from ffcore.explore.search.lattice import Lattice
from ffcore.explore.search.outline import Dimension, Fixed, Outline, Outliner, out_of_order
from ffcore.explore.search.rows import Known, RowMaker
from ffcore.explore.search.spatial import SpatialMenu
from ffcore.explore.search.spread import Rules, passes
from ffcore.objectives import Objectives
from ffcore.pmappings.arrays import Floats
from ffcore.pmappings.rows import RowShape
from ffcore.spec.problem import Component, EinsumProblem, MapperOptions
from ffcore.templates import SpatialLoop, Template
from ffcore.threads import Threads


@attrs.frozen
class Paths:
    """Sorts the templates of an Einsum by path, and those of each path by what is the same."""

    einsum: EinsumProblem
    shape: RowShape
    options: MapperOptions
    pulse: Callable[[int], None]
    threads: Threads
    enough: Enough | None = None
    _made: dict[int, list[RowMaker]] = attrs.Factory(dict)  # by the first template

    def makers(self, templates: Sequence[Template], numbers: dict[str, int]) -> Iterator[list[RowMaker]]:
        """Row makers, path by path; together they stand for all templates that can fit."""
        for own in self.sorted(templates):
            makers = self.all_makers(own, numbers)
            if self.enough is not None and makers:
                guard_all(makers, self.enough.each(self.einsum.n_instances))
            elif len(makers) == 1 and self._compete(makers[0]):
                columns = makers[0].labeller.columns
                self._guard(makers[0], partial(self._found_with_fewer_tiles, own, numbers, columns))
            yield makers

    def sorted(self, templates: Sequence[Template]) -> list[list[Template]]:
        """The templates of each path."""
        numbers: dict[Hashable, int] = {}
        known: dict[int, tuple[Component, int]] = {}  # by identity, with what has it
        by_path: dict[Hashable, list[Template]] = {}
        for template in templates:
            for component in template.components:
                if id(component) not in known:
                    known[id(component)] = component, numbers.setdefault(_fingerprint(component), len(numbers))
            path = tuple(known[id(component)][1] for component in template.components)
            by_path.setdefault(path, []).append(template)
        return list(by_path.values())

    def all_makers(self, templates: Sequence[Template], numbers: dict[str, int]) -> list[RowMaker]:
        """Those of the templates of one path; the same ones when they are asked for again."""
        first = id(templates[0])
        if first not in self._made:
            self._made[first] = self._of_path(templates, numbers)
        return self._made[first]

    def afresh(self, templates: Sequence[Template], numbers: dict[str, int]) -> list[RowMaker]:
        """Those of the templates of one path, without labels; they take the place of the ones that have some."""
        makers = self.all_makers(templates, numbers)
        if makers:
            labeller = makers[0].labeller.afresh()
            makers[:] = [maker.of(labeller) for maker in makers]
        return makers

    def _of_path(self, templates: Sequence[Template], numbers: dict[str, int]) -> list[RowMaker]:
        components = templates[0].components
        with_latency = Objectives.of(self.options.metrics).latency or any(leak.power for leak in self.einsum.leaks)
        columns = columns_of(self.einsum, components, with_latency, self.shape.memories)
        return self._makers(templates, numbers, columns)

    def _makers(self, templates: Sequence[Template], numbers: dict[str, int], columns: Columns) -> list[RowMaker]:
        """One for templates that are the same down to the fused cut."""
        components = columns.components
        tracked = frozenset(i for i, c in enumerate(components) if c.name in self.shape.memories)
        lattice = Lattice.build(self.einsum, columns.tiles)
        labeller = Labeller(Field(lattice, columns), tracked, self.options, self.pulse, threads=self.threads)
        outliner = Outliner(columns)
        chooser = _Chooser(self.options, SpatialMenu(self.options), self.pulse)
        known, makers = Known(), []
        with uncollected():
            groups: dict[Hashable, list[Outline]] = {}
            for template in templates:
                for usages, fixed in chooser.choices(template):
                    outline = outliner.outline(template, usages, fixed)
                    groups.setdefault(outline.above(), []).append(outline)
                    self.pulse(0)  # choices out of order are many
            for own in groups.values():
                node = labeller.node(own, own[0].fused)
                if node is not None:
                    makers.append(RowMaker(labeller, tuple(own), node, self.shape, self.options, numbers, known))
        return makers

    def with_fewer_tiles(
        self, templates: Sequence[Template], numbers: dict[str, int], columns: Columns
    ) -> Iterator[list[RowMaker]]:
        """The makers of one path with perfect factors, and with a few of the imperfect tiles.

        None where ``min_usage`` may rule their rows out, as a fuller array would be possible with other tiles.
        """
        if not any(d.min_usage for c in columns.components for d in c.spatial):
            for tiles in coarser(columns):
                makers = self._makers(templates, numbers, attrs.evolve(columns, tiles=tiles))
                if makers:
                    yield makers

    def _found_with_fewer_tiles(
        self, templates: Sequence[Template], numbers: dict[str, int], columns: Columns
    ) -> Floats:
        """(energy, latency) of the best of these mappings."""
        known = np.zeros((0, 2))
        for maker in (maker for makers in self.with_fewer_tiles(templates, numbers, columns) for maker in makers):
            self._guard(maker, partial(np.copy, known))
            known = np.concatenate([known, self._found(maker)])
        return known

    def _compete(self, maker: RowMaker) -> bool:
        """Do all rows compete with each other, in energy and latency alone?"""
        wanted = Objectives.of(self.options.metrics).energy
        alike = not maker.outline.fused and not maker.outline.space_above
        own = self.shape.memories or self.shape.apart or self.options.resource_usage_tolerance
        return wanted and alike and not own

    def _guard(self, maker: RowMaker, known: Callable[[], Floats]) -> None:
        """Give labels what they have to beat, if it is worth it; ``known``: (energy, latency) of mappings there are."""

        def found(labeller: Labeller, node: Node) -> Floats:
            return self._found(attrs.evolve(maker, labeller=labeller, node=node))

        guard(maker.labeller, maker.node, maker.outlines, found, known)

    def _found(self, maker: RowMaker) -> Floats:
        """(energy, latency) of all rows, each of one instance of the Einsum."""
        own = maker.candidates()
        values = np.zeros((0, 2)) if own is None else own.values[:, :2]
        return values / self.einsum.n_instances


@attrs.frozen
class _Chooser:
    """What is chosen before anything is solved: spatial loops `out_of_order`, and what ``min_usage`` asks."""

    options: MapperOptions
    menu: SpatialMenu
    pulse: Callable[[int], None]

    def choices(self, template: Template) -> Iterator[tuple[dict[tuple[int, int], float], Fixed]]:
        """(usages, trips of loops out of order) under which a template is explored."""
        if not self._empty_dimensions_allowed(template):
            return
        usages = self._usages(template)
        if usages is None:
            return
        components = sorted(out_of_order(template))
        if not components:
            yield usages, Fixed({})
            return
        if template.einsum.imperfect:
            raise FFError(
                f"Einsum {template.einsum.name}: the explorer 'default' does not offer imperfect factors where spatial "
                "loops stand above a memory further out (force_memory_hierarchy_order: False): leave "
                "mapper.ffm.explore_imperfect_temporal_loops and explore_imperfect_spatial_loops at False"
            )
        places = [(i, d) for i in components for d in range(len(template.components[i].spatial))]
        for chosen in product(*(list(self._trips(template, *place)) for place in places)):
            loops = [s for own, _ in chosen for s in own]
            trips = [n for _, own in chosen for n in own]
            total: dict[str, int] = {}
            for loop, n in zip(loops, trips, strict=True):
                total[loop.variable] = total.get(loop.variable, 1) * n
            if all(template.einsum.bounds[v] % n == 0 for v, n in total.items()):
                yield usages, Fixed(dict(zip(loops, trips, strict=True)))

    def _empty_dimensions_allowed(self, template: Template) -> bool:
        """Do the rules of dimensions that nothing may run across hold?"""
        used = {(s.index, s.dimension) for s in template.spatial}
        for i, component in enumerate(template.components):
            for k, dimension in enumerate(component.spatial):
                rules = Rules(dimension, Dimension(i, k, ()), self.options)
                if (i, k) not in used and not rules.accepts((min(1, dimension.fanout - 1), *rules.start[1:])):
                    return False
        return True

    def _usages(self, template: Template) -> dict[tuple[int, int], float] | None:
        """What the ``min_usage`` rule asks of each dimension; None if nothing fits."""
        wanted = [(i, k) for i, c in enumerate(template.components) for k, d in enumerate(c.spatial) if d.min_usage > 0]
        if not wanted or template.einsum.is_copy:
            return {}
        table, numbers = self.menu.fitting(template)
        if not len(numbers):
            return None
        preferred = table.choice(template, int(numbers[0]))
        trips = dict.fromkeys(wanted, 1)
        for loop, n in zip(preferred.loops, preferred.trips, strict=True):
            if (loop.index, loop.dimension) in trips:
                trips[loop.index, loop.dimension] *= n
        return {(i, k): template.components[i].spatial[k].rank(n) for (i, k), n in trips.items()}

    def _trips(self, template: Template, index: int, d: int) -> Iterator[tuple[list[SpatialLoop], tuple[int, ...]]]:
        """All ways to run across one dimension."""
        loops = [s for s in template.spatial if (s.index, s.dimension) == (index, d)]
        if not loops:
            yield [], ()
            return
        rules = Rules(
            template.components[index].spatial[d], Dimension(index, d, tuple(s.variable for s in loops)), self.options
        )

        def extended(k: int, at: int) -> Iterator[tuple[int, ...]]:
            if k == len(steps):
                yield ()
                return
            for q, t, to in steps[k].moves:
                if q == at:
                    for rest in extended(k + 1, to):
                        yield (*steps[k].trips[t], *rest)

        steps = passes(rules, template.einsum.bounds, self.pulse) or []  # in an order of their own
        if steps:
            of = {s.variable: s for s in loops}
            for trips in extended(0, 0):
                yield [of[v] for step in steps for _, _, v in step.loops], trips


def _fingerprint(component: Component) -> Hashable:
    """What of a component can bear on costs, whatever the choice of holders."""
    return key_of(component, None, frozenset({"holding"}))
