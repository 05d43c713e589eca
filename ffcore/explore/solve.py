"""One Einsum: every template under every spatial choice, solutions of equal parts shared."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import attrs
import numpy as np

from ffcore.explore.costs import Costs, layout_of, leak_power
from ffcore.explore.lattice import Lattice
from ffcore.explore.outline import Outline, Outliner
from ffcore.explore.rows import JobSolver, Rows, RowShape, prune
from ffcore.explore.spatial import SpatialChoice, SpatialMenu
from ffcore.explore.suffix import SuffixSolver
from ffcore.explore.types import EinsumPmappings, Job, PmappingStats
from ffcore.spec.problem import Component, EinsumProblem, MapperOptions, Metric
from ffcore.templates import Template

_PRUNE_EVERY = 1_000_000  # rows
_NO_SPATIAL = SpatialChoice((), ())


def explore_einsum(
    einsum: EinsumProblem, templates: Sequence[Template], shape: RowShape, options: MapperOptions
) -> EinsumPmappings:
    """Solve every template under every spatial choice; solutions of equal parts are shared."""
    jobs: list[Job] = []
    parts: list[Rows] = []
    solvers = _Solvers(einsum, shape, options)
    outliners: dict[Hashable, Outliner] = {}
    menu = SpatialMenu(options)
    for template in templates:
        path = _fingerprint(template.components)
        outline = outliners.setdefault(path, Outliner()).outline(template)
        choices = menu.fitting(template)
        for solver, members in solvers.of(path, outline, choices):
            numbers = np.arange(len(jobs), len(jobs) + len(members))
            jobs.extend(Job(template, choice) for choice in members)
            nest = _NO_SPATIAL if solver.inner else members[0]
            parts.append(JobSolver(solver, outline, nest, members[0], shape, options).rows(numbers))
        if sum(map(len, parts)) > _PRUNE_EVERY:
            parts = [prune(Rows.concatenate(parts))[0]]
    rows, offsets = prune(Rows.concatenate(parts) if parts else Rows.empty(shape))
    used, renumbered = np.unique(rows.job, return_inverse=True)
    rows = attrs.evolve(rows, job=renumbered.reshape(-1))
    stats = PmappingStats(0, solvers.evaluated())
    kept = tuple(jobs[int(j)] for j in used)
    return EinsumPmappings(einsum, tuple(templates), kept, shape, rows, offsets, stats)


@attrs.define
class _Solvers:
    """The solvers of one Einsum: one for each spatial choice, and one for each set of merged ones."""

    einsum: EinsumProblem
    shape: RowShape
    options: MapperOptions
    _single: dict[Hashable, SuffixSolver] = attrs.Factory(dict)
    _merged: dict[Hashable, SuffixSolver] = attrs.Factory(dict)
    _whole: Lattice = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._whole = Lattice.build(self.einsum, _NO_SPATIAL)

    def of(
        self, path: Hashable, outline: Outline, choices: Sequence[SpatialChoice]
    ) -> Iterator[tuple[SuffixSolver, list[SpatialChoice]]]:
        """Solvers that together cover the choices, each with the choices that its rows stand for.

        Choices are merged only where compute time and leakage are the same: these are not columns
        of a label.
        """
        if outline.merge < 0:
            for choice in choices:
                yield self._one(path, outline, choice), [choice]
            return
        classes: dict[tuple[float, float], list[SpatialChoice]] = {}
        components = outline.template.components
        for choice in choices:
            solver = self._one(path, outline, choice)
            power = leak_power(self.einsum, components, choice)
            classes.setdefault((power, solver.costs.constant(outline)[1]), []).append(choice)
        for members in classes.values():
            inner = [self._one(path, outline, choice) for choice in members]
            key = (path, tuple(_trips(choice) for choice in members))
            if key not in self._merged:
                self._merged[key] = self._solver(outline, _NO_SPATIAL, inner)
            yield self._merged[key], members

    def _one(self, path: Hashable, outline: Outline, choice: SpatialChoice) -> SuffixSolver:
        key = (path, _trips(choice))
        if key not in self._single:
            self._single[key] = self._solver(outline, choice, ())
        return self._single[key]

    def _solver(self, outline: Outline, choice: SpatialChoice, inner: Sequence[SuffixSolver]) -> SuffixSolver:
        components = outline.template.components
        with_latency = bool(self.options.metrics & ~Metric.ENERGY) or any(leak.power for leak in self.einsum.leaks)
        layout = layout_of(self.einsum, components, with_latency, self.shape.memories)
        costs = Costs(Lattice.build(self.einsum, choice), layout, components)
        tracked = frozenset(i for i, c in enumerate(components) if c.name in self.shape.memories)
        return SuffixSolver(costs, self._whole, tracked, inner)

    def evaluated(self) -> int:
        """Labels and rows that costs were computed for."""
        return sum(s.evaluated for s in (*self._single.values(), *self._merged.values()))


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
