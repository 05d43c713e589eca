"""One exploration for several problems that differ only in sizes of memories, latencies, fused loops or metrics.

It is made at the largest sizes, with the most fused loops and all metrics, and keeps latencies that differ apart;
`restricted` then gives the rows that an exploration of one of the problems would have found. Exact, given
`prefers_alike`:

* Templates and costs do not depend on sizes. A row that fits a smaller memory is among those that fit the larger one,
  and what dominates it takes no more of any memory, so it fits too.
* Rows compete only with rows of the same fused loops, so leaving out those with too many changes nothing else.
* A Pareto front in some columns is the front, in these columns, of that in more of them.
* A latency is the greatest of the components', and each of these is a sum over actions of their number times seconds
  per action. It grows with each of these sums: what is on the front for some seconds per action is on the front of all
  sums on their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import overload

import attrs
import numpy as np

from ffcore.plugin import (
    FITS,
    Bools,
    EinsumPmappings,
    EinsumProblem,
    Floats,
    Ints,
    MapperOptions,
    Metric,
    Objectives,
    Rows,
    RowShape,
    SpatialChoice,
    SpatialMenu,
    SpatialTable,
    Template,
    TemplateChoice,
    pareto_mask,
    reshaped,
    reshaped_values,
    smallest_usage,
)

Sizes = Mapping[str, float]  # bits by memory

_COSTS = Metric.ENERGY | Metric.LATENCY


@attrs.frozen(eq=False)
class Restricted:
    """The rows of a shared exploration that one of the problems has; equal Einsums of that problem share them."""

    found: EinsumPmappings
    rows: Rows
    offsets: Ints
    shape: RowShape
    source: Ints  # which of the rows found they are

    def of(self, einsum: EinsumProblem, templates: Sequence[Template]) -> EinsumPmappings:
        """The same in an Einsum's own names, with its own components."""
        shared = tuple(t.name for t in einsum.tensors if t.name in einsum.shared)
        shape = attrs.evolve(self.shape, shared=shared)
        jobs = _OwnJobs(self.found, tuple(templates))
        stats = attrs.evolve(self.found.stats, evaluated=0)
        return EinsumPmappings(einsum, tuple(templates), jobs, shape, self.rows, self.offsets, stats)


def restricted(
    found: EinsumPmappings,
    explored: Sizes,
    sizes: Sizes,
    shape: RowShape,
    options: MapperOptions,
    scales: Sequence[tuple[str, float]] = (),
) -> Restricted:
    """The rows that fit memories of other ``sizes`` and keep the limits of ``options``, in another ``shape``.

    ``explored``: the sizes that the rows were found for, no less than ``sizes`` unless everything fits. Of a memory
    that is in neither both must be the same. ``scales``: for each latency that the rows keep apart, the component that
    it is of, and what it is multiplied by.
    """
    rows, own = found.rows, found.shape
    keep: Bools = (rows.loops != 0).sum(axis=1) <= options.max_fused_loops
    for m, name in enumerate(own.memories):
        if name in sizes and sizes[name] < explored[name]:
            keep &= rows.values[:, own.own(m)] * explored[name] <= sizes[name] * FITS
    kept = np.flatnonzero(keep)
    group = np.repeat(np.arange(len(found.offsets) - 1), np.diff(found.offsets))[kept]
    larger = {name: explored[name] / size for name, size in sizes.items() if name in shape.memories and size}
    values = reshaped_values(rows.values[kept], own, shape, larger)
    values[:, :2] = costs_of(rows.values[kept], own, options, scales)
    fewer = set(own.memories) - set(shape.memories) or scales or _COSTS & ~Objectives.of(options.metrics).needed
    if fewer and len(kept):
        front = pareto_mask(group, values)
        kept, values, group = kept[front], values[front], group[front]
    taken = attrs.evolve(reshaped(rows.take(kept), own, shape), values=values)
    offsets = np.flatnonzero(np.concatenate([[True], group[1:] != group[:-1], [True]])) if len(group) else np.zeros(1)
    return Restricted(found, taken, offsets.astype(np.int64), shape, kept)


def costs_of(values: Floats, own: RowShape, options: MapperOptions, scales: Sequence[tuple[str, float]]) -> Floats:
    """Energy and latency of rows with such values; 0 for what the metrics do not ask for. ``scales``: see above."""
    costs = values[:, :2].copy()
    latency: dict[str, Floats] = {}
    for column, (component, scale) in enumerate(scales, own.first_apart):
        latency[component] = latency.get(component, 0.0) + values[:, column] * scale
    for seconds in latency.values():
        np.maximum(costs[:, 1], seconds, out=costs[:, 1])
    needed = Objectives.of(options.metrics).needed
    for column, metric in enumerate((Metric.ENERGY, Metric.LATENCY)):
        if metric not in needed:
            costs[:, column] = 0.0
    return costs


class _OwnJobs(Sequence[TemplateChoice]):
    """Jobs in the templates of an equal Einsum, made when they are asked for: few of many are."""

    def __init__(self, found: EinsumPmappings, templates: tuple[Template, ...]) -> None:
        self._jobs = found.jobs
        self._templates = templates
        self._numbers = {id(t): i for i, t in enumerate(found.templates)}

    def __len__(self) -> int:
        return len(self._jobs)

    @overload
    def __getitem__(self, number: int) -> TemplateChoice: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[TemplateChoice]: ...
    def __getitem__(self, number: int | slice) -> TemplateChoice | Sequence[TemplateChoice]:
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(len(self)))]
        job = self._jobs[number]
        own = self._templates[self._numbers[id(job.template)]]
        loops = tuple(own.spatial[job.template.spatial.index(loop)] for loop in job.choice.loops)
        return TemplateChoice(own, SpatialChoice(loops, job.choice.trips))


@attrs.define(eq=False)
class Preferences:
    """Which spatial choices the ``min_usage`` rule prefers in each template of an Einsum, for any sizes.

    It prefers the first class of choices of which some fits, which may change with the sizes.
    """

    # Per table of choices: of each memory in use, its size or name, and the bits of the smallest tiles there.
    _tables: list[tuple[SpatialTable, list[tuple[float | str, Floats]]]]
    _known: dict[tuple[tuple[str, float], ...], tuple[int, ...]] = attrs.Factory(dict)

    @classmethod
    def of(cls, templates: Sequence[Template], options: MapperOptions, free: Sizes) -> Preferences:
        """``free``: memories of any size; the others' sizes are the templates'."""
        menu = SpatialMenu(options)
        tables = []
        for template in templates:
            table = menu.table(template)
            if len(table.classes) > 1:
                used = [(template.components[i], bits) for i, bits in smallest_usage(template, table).items()]
                tables.append((table, [(c.name if c.name in free else c.size, bits) for c, bits in used]))
        return cls(tables)

    def at(self, sizes: Sizes) -> tuple[int, ...]:
        """Per template that has a choice of classes, the first one of which some choice fits; -1: nothing does."""
        key = tuple(sizes.items())
        if key not in self._known:
            self._known[key] = self._at(sizes)
        return self._known[key]

    def _at(self, sizes: Sizes) -> tuple[int, ...]:
        result = []
        for table, places in self._tables:
            fits = np.ones(len(table.trips), np.bool_)
            for size, bits in places:
                fits &= bits <= (sizes[size] if isinstance(size, str) else size) * FITS
            first = (k for k, members in enumerate(table.classes) if fits[members].any())
            result.append(next(first, -1))
        return tuple(result)


def prefers_alike(smaller: Sequence[int], larger: Sequence[int]) -> bool:
    """May an exploration at the larger sizes serve the smaller ones, as far as `Preferences` go?

    Where nothing fits, no row is left anyway.
    """
    return all(a in (b, -1) for a, b in zip(smaller, larger, strict=True))
