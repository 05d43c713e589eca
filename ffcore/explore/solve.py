"""One Einsum: every template under every spatial choice, solutions of equal parts shared."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import product

import attrs
import numpy as np

from ffcore.errors import TimeLimitError
from ffcore.explore.costs import Costs, Layout, compute_seconds, layout_of, leak_power, outer_replicas
from ffcore.explore.first import unfused_first
from ffcore.explore.kernels import Bools, Floats, Ints
from ffcore.explore.lattice import Lattice
from ffcore.explore.outline import Outline, Outliner
from ffcore.explore.rows import Candidates, RowMaker, Rows, RowShape, grouped, places, pruned
from ffcore.explore.spatial import SpatialChoice, SpatialMenu, SpatialTable, spatial_choice
from ffcore.explore.suffix import Source, SuffixSolver
from ffcore.explore.tally import Slot
from ffcore.explore.types import EinsumPmappings, Job, PmappingStats
from ffcore.spec.problem import Component, EinsumProblem, MapperOptions, Metric
from ffcore.templates import SpatialLoop, Template

_PRUNE_EVERY = 1_000_000  # rows
_NO_SPATIAL = SpatialChoice((), ())
_STEPPED = "stepped"


def explore_einsum(
    einsum: EinsumProblem,
    templates: Sequence[Template],
    shape: RowShape,
    options: MapperOptions,
    slot: Slot | None = None,
) -> EinsumPmappings:
    """Solve every template under every spatial choice; solutions of equal parts are shared.

    ``slot`` counts templates; when time is up what was found so far is returned. Raises as ``Slot.pulse`` does.
    """
    parts: list[Candidates] = []
    solvers = _Solvers(einsum, shape, options, slot)
    explored = 0
    try:
        for explored in _templates_done(templates, solvers, parts):
            if slot is not None:
                solvers.done = explored / len(templates)
                slot.template_done(solvers.evaluated)
    except TimeLimitError:
        if not any(map(len, parts)):
            raise
    rows, offsets, jobs = _written(parts, shape)
    stats = PmappingStats(0, solvers.evaluated(), len(templates) - explored)
    solvers.forget()
    return EinsumPmappings(einsum, tuple(templates), jobs, shape, rows, offsets, stats)


def _templates_done(templates: Sequence[Template], solvers: _Solvers, parts: list[Candidates]) -> Iterator[int]:
    """Solve each template into ``parts``; yields how many are done."""
    shape, options = solvers.shape, solvers.options
    outliners: dict[Hashable, Outliner] = {}
    menu = SpatialMenu(options)
    numbers = {c.name: i for i, c in enumerate(places(templates))}
    limited = solvers.slot is not None and solvers.slot.soft < float("inf")
    for number, template in enumerate(unfused_first(templates) if limited else templates, 1):
        path = solvers.path(template.components)
        outline = outliners.setdefault(path, Outliner()).outline(template)
        table, choices = menu.fitting(template)
        for solved in solvers.of(path, outline, table, choices):
            nest = _NO_SPATIAL if solved.solver.sources else table.choice(template, int(solved.choices[0]))
            rates = solved.seconds, solved.power
            found = RowMaker(
                solved.solver, outline, nest, table, solved.choices, *rates, shape, options, numbers
            ).candidates()
            if found is not None and len(found):
                parts.append(found)
                if solvers.slot is not None:
                    solvers.slot.has_rows = True
        if sum(map(len, parts)) > _PRUNE_EVERY:
            parts[:] = [p for p in pruned(parts)[0] if len(p)]
        yield number


def _written(parts: Sequence[Candidates], shape: RowShape) -> tuple[Rows, Ints, tuple[Job, ...]]:
    """(rows, offsets of their groups, jobs) of what is Pareto-optimal among all parts."""
    if not parts:
        return Rows.empty(shape), np.zeros(1, np.int64), ()
    jobs: list[Job] = []
    written, groups = [], []
    for part, group in zip(*pruned(parts), strict=True):
        if len(part):
            rows, own = part.maker.expand(part, len(jobs))
            jobs.extend(own)
            written.append(rows)
            groups.append(group)
    rows, offsets = grouped(Rows.concatenate(written), np.concatenate(groups))
    return rows, offsets, tuple(jobs)


@attrs.frozen(eq=False)
class _Solved:
    """A solver and the spatial choices that its rows stand for, by its own numbers of them."""

    solver: SuffixSolver
    choices: Ints
    seconds: float
    power: float


@attrs.define
class _Solvers:
    """The solvers of one Einsum: one for each spatial choice, and one for each set of merged ones."""

    einsum: EinsumProblem
    shape: RowShape
    options: MapperOptions
    slot: Slot | None = None
    done: float = 0.0  # share of the templates
    _solvers: dict[Hashable, SuffixSolver] = attrs.Factory(dict)
    _found: dict[Hashable, list[_Solved]] = attrs.Factory(dict)
    _paths: dict[int, tuple[tuple[Component, ...], Hashable]] = attrs.Factory(dict)
    _whole: Lattice = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._whole = Lattice.build(self.einsum, _NO_SPATIAL)

    def path(self, components: tuple[Component, ...]) -> Hashable:
        """What of a path's components can bear on costs; equal ones share solvers."""
        if id(components) not in self._paths:
            self._paths[id(components)] = components, _fingerprint(components)
        return self._paths[id(components)][1]

    def of(self, path: Hashable, outline: Outline, table: SpatialTable, choices: Ints) -> list[_Solved]:
        """Solvers that together cover the choices of a table.

        Choices are merged only where compute time and leakage are the same: these are not columns
        of a label.
        """
        # Where the loops stand relative to the merges is all that matters: costs go by component, labels by cut.
        depths = tuple(sum(s.block > m for m in outline.merges) for s in outline.template.spatial)
        key = (path, table.number, len(outline.merges), depths, choices.tobytes())
        if key not in self._found:
            self._found[key] = list(self._cover(path, outline, table, choices))
        return self._found[key]

    def _cover(self, path: Hashable, outline: Outline, table: SpatialTable, choices: Ints) -> Iterator[_Solved]:
        template, components = outline.template, outline.template.components
        chosen = {int(number): table.choice(template, int(number)) for number in choices}
        classes: dict[tuple[float, float], list[int]] = {}
        for number, choice in chosen.items():
            power = leak_power(self.einsum, components, choice)
            classes.setdefault((compute_seconds(self.einsum, components, choice), power), []).append(number)
        for (seconds, power), members in classes.items():
            if not outline.merges:
                for number in members:
                    solver = self._one(path, outline, chosen[number], {})
                    yield _Solved(solver, np.array([number]), seconds, power)
                continue
            stepped = self._stepped(path, outline, table, members) if len(outline.merges) > 1 else None
            if stepped is not None:
                yield _Solved(*stepped, seconds, power)
            else:
                solver = self._flat(path, outline, [chosen[n] for n in members], {}, 0)
                yield _Solved(solver, np.array(members), seconds, power)

    def _flat(
        self,
        path: Hashable,
        outline: Outline,
        choices: Sequence[SpatialChoice],
        replicas: Mapping[str, int],
        level: int,
    ) -> SuffixSolver:
        """Every choice solved by itself, then merged at ``outline.merges[level]``.

        Level 0: choices of all spatial loops; level 1: of those below the outermost ones, which come later.
        """
        key = (path, level, tuple(_trips(choice) for choice in choices), tuple(replicas.items()))
        if key not in self._solvers:
            inner = [self._one(path, outline, choice, replicas) for choice in choices]
            sources = [Source(s, s.costs.lattice.times(self._whole, s.costs.lattice.choice.total())) for s in inner]
            totals = [choice.total() for choice in choices]
            self._solvers[key] = self._solver(outline, _NO_SPATIAL, replicas, totals, sources, level)
        return self._solvers[key]

    def _stepped(
        self, path: Hashable, outline: Outline, table: SpatialTable, members: Sequence[int]
    ) -> tuple[SuffixSolver, Ints] | None:
        """Inner spatial loops merged first, then the outermost ones' choices; None if they are not independent.

        Exact: see ``Outline.merges``; all combinations of an outer and an inner choice must be there. The
        inner problem depends on the outer choice only through ``outer_replicas``.
        """
        spatial = outline.template.spatial
        first = np.array([s.block == outline.merges[0] for s in spatial])
        number = {tuple(trips): n for n, trips in zip(members, table.trips[members].tolist(), strict=True)}
        outer = _split(spatial, first, number)
        inner = _split(spatial, ~first, number)
        pairs = list(product(outer, inner))
        both = [number.get(tuple(np.where(first, o, i).tolist()), -1) for o, i in pairs]
        bounds = self.einsum.bounds
        totals = [_times(outer[o].total(), inner[i].total()) for o, i in pairs]
        possible = [all(bounds[v] % n == 0 for v, n in total.items()) for total in totals]
        if any(ok != (n >= 0) for ok, n in zip(possible, both, strict=True)):
            return None
        key = (path, _STEPPED, tuple(map(_trips, outer.values())), tuple(map(_trips, inner.values())))
        if key not in self._solvers:
            sources = []
            for choice in outer.values():
                replicas = outer_replicas(self.einsum, choice)
                merged = self._flat(path, outline, list(inner.values()), replicas, 1)
                states = self._whole.times(self._whole, choice.total())
                sources.append(Source(merged, states, _per_instance(merged.costs.layout, choice)))
            self._solvers[key] = self._solver(outline, _NO_SPATIAL, {}, totals, sources, 0)
        return self._solvers[key], np.array(both)

    def _one(
        self,
        path: Hashable,
        outline: Outline,
        choice: SpatialChoice,
        replicas: Mapping[str, int],
    ) -> SuffixSolver:
        key = (path, _trips(choice), tuple(replicas.items()))
        if key not in self._solvers:
            self._solvers[key] = self._solver(outline, choice, replicas, [choice.total()], (), 0)
        return self._solvers[key]

    def _solver(
        self,
        outline: Outline,
        choice: SpatialChoice,
        replicas: Mapping[str, int],
        totals: Sequence[Mapping[str, int]],
        sources: Sequence[Source],
        level: int,
    ) -> SuffixSolver:
        components = outline.template.components
        with_latency = bool(self.options.metrics & ~Metric.ENERGY) or any(leak.power for leak in self.einsum.leaks)
        layout = layout_of(self.einsum, components, with_latency, self.shape.memories)
        costs = Costs(Lattice.build(self.einsum, choice), layout, components, replicas)
        tracked = frozenset(i for i, c in enumerate(components) if c.name in self.shape.memories)
        return SuffixSolver(costs, self._whole, tracked, totals, sources, level, self.pulse)

    def pulse(self) -> None:
        """Between two steps of the work."""
        if self.slot is not None:
            self.slot.pulse(self.evaluated, self.done)

    def evaluated(self) -> int:
        """Labels and rows that costs were computed for."""
        return sum(s.evaluated for s in self._solvers.values())

    def forget(self) -> None:
        """Let labels go: they and their solvers refer to each other, and the next Einsum needs the room."""
        for solver in self._solvers.values():
            solver.forget()


def _split(
    spatial: Sequence[SpatialLoop], own: Bools, choices: Iterable[tuple[int, ...]]
) -> dict[tuple[int, ...], SpatialChoice]:
    """The distinct choices of some of the loops: (trips, those of the other loops 1) and the choice."""
    distinct = dict.fromkeys(
        tuple(n if k else 1 for n, k in zip(trips, own.tolist(), strict=True)) for trips in choices
    )
    return {trips: spatial_choice(spatial, trips) for trips in distinct}


def _times(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    return {v: a.get(v, 1) * b.get(v, 1) for v in (*a, *b)}


def _per_instance(layout: Layout, choice: SpatialChoice) -> Floats:
    """What each column of a label is multiplied by when loops outside divide the work among more instances."""
    scale = np.ones(layout.width)
    for k, (index, _) in enumerate(layout.forms):
        scale[layout.form(k)] = 1 / choice.upto(index)
    return scale


def _trips(choice: SpatialChoice) -> Hashable:
    return tuple((s.variable, s.index, s.dimension, n) for s, n in zip(choice.loops, choice.trips, strict=True))


def _fingerprint(components: Sequence[Component]) -> Hashable:
    """What of a path's components can bear on costs, whatever the choice of holders."""
    return tuple(
        (
            c.name,
            tuple((a.name, a.energy, tuple(sorted(a.values_per_action.items()))) for a in c.actions),
            tuple(tuple(sorted(form.items())) for form in c.latency),
            c.spatial,
            c.size,
            tuple(sorted(c.bits_per_value.items())),
            c.charges_up,
            c.charges_down,
            c.skip_initial_output_write,
            c.computes_copies,
        )
        for c in components
    )
