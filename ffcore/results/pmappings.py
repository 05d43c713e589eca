"""Pmappings as a user handles them: counted, filtered, put together, handed to a join."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from ffcore.errors import FFError, suggest
from ffcore.explore.evaluated import evaluated_alone
from ffcore.explore.reuse.bypass import left_out
from ffcore.mapspace.total import MapspaceCounter
from ffcore.objectives import Objectives
from ffcore.pmappings.compatibility import Compatibility, compatibilities
from ffcore.pmappings.set import EinsumPmappings, PmappingSet
from ffcore.results import columns
from ffcore.results.union import union
from ffcore.spec.problem import Metric, Problem
from ffcore.templates import Template

if TYPE_CHECKING:
    import pandas as pd

RowFilter: TypeAlias = Callable[["pd.DataFrame"], Any]
"""Given the table of an Einsum's pmappings, the rows to keep: these rows, or a boolean for each row."""


@attrs.frozen(eq=False)
class PmappingRows:
    """Some rows of one Einsum's pmappings."""

    pmappings: EinsumPmappings
    metrics: Metric
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    @cached_property
    def data(self) -> pd.DataFrame:
        """A row for each pmapping: ``Total<SEP>energy`` (J), ``Total<SEP>latency`` (s), ``usage<SEP>Memory``.

        Only what the search keeps is there: objectives that are among the metrics, and the share that the
        Einsum's own reservations take of each memory that the join has to watch.
        """
        return _table(self.pmappings, self.metrics, self.start, self.stop)


@attrs.frozen(eq=False)
class PmappingGroup:
    """Pmappings of one Einsum that agree in compatibility, so that any can take another's place in a join."""

    einsum_name: str
    compatibility: Compatibility
    mappings: PmappingRows

    def __len__(self) -> int:
        return len(self.mappings)


class Pmappings:
    """What an exploration of ``problem`` found.

    ``source`` is what the explorer returned, for the joiner; counts, groups, filters and unions need the
    ``PmappingSet`` of the default explorer.
    """

    def __init__(self, source: PmappingSet | Any, problem: Problem, can_combine_multiple_runs: bool = False) -> None:
        self.source = source
        self.problem = problem
        self.can_combine_multiple_runs = can_combine_multiple_runs

    @property
    def set(self) -> PmappingSet:
        """The pmappings as arrays. Raises FFError for an explorer that keeps them in a form of its own."""
        if isinstance(self.source, PmappingSet):
            return self.source
        raise FFError(
            f"pmappings of the type {type(self.source).__name__} can only be joined; "
            "those of the explorer 'default' can be counted, filtered and combined too"
        )

    # -- counts -----------------------------------------------------------------------------------

    def total_pmappings(self, per_einsum: bool = False) -> Any:
        """Size of the whole mapspace, by a closed formula.

        Counts, for each template (choice and order of holders with the loops that may stand between them; orders of
        neighbouring loops that change nothing count once), each choice of tile sizes: of trip counts of its spatial
        loops within the fanouts and the constraints on them, and of a chain of divisors for the
        temporal loops of each rank variable. Neither capacities, nor ``tile_shape``, nor limits on fused loops, nor
        ``min_usage`` leave anything out.
        """
        counter = MapspaceCounter(self.set.problem.options)
        return self._count(lambda e: sum(map(counter.total, self._templates(e))), per_einsum)

    def valid_pmappings(self, per_einsum: bool = False) -> Any:
        """How many of `total_pmappings` are valid for their Einsum alone; exact, and counted when asked for.

        Those whose own reservations fit together in each memory, whose tiles obey ``tile_shape`` and whose loops
        keep the limits on fused loops. ``min_usage`` leaves nothing out: it prefers some valid ones. None of
        them is listed: `ffcore.mapspace.total` says how they are counted.
        """
        counter = MapspaceCounter(self.set.problem.options)
        return self._count(lambda e: sum(map(counter.valid, self._templates(e))), per_einsum)

    def evaluated_pmappings(self, per_einsum: bool = False) -> Any:
        """How often the model was really evaluated: labels and rows that the explorer computed costs for.

        Most are evaluations of a part that many pmappings have in common, so on large mapspaces this is far less
        than `valid_pmappings`; parts that no pmapping keeps count too, so on tiny ones it can be more. Of equal
        Einsums only the first is explored, so that the others have 0.
        """
        return self._count(lambda e: e.stats.evaluated, per_einsum)

    def _evaluated_pmappings_for_simanneal_baseline_compare(self, per_einsum: bool = False) -> Any:
        """What the published annealing baseline is charged with: evaluations without cross-group pruning.

        See `ffcore.explore.evaluated.evaluated_alone`: as `evaluated_pmappings`, with each Einsum counted for itself.
        """
        counts = evaluated_alone(self.set)
        return counts if per_einsum else sum(counts.values())

    def pareto_optimal_pmappings(self, per_einsum: bool = False) -> Any:
        """Rows kept: those that no other row of equal compatibility dominates.

        Dominated means no better in any objective and any tracked usage. Fused loops that may be permuted
        without changing any count are one row. After a filter: the rows left.
        """
        return self._count(lambda e: len(e.rows), per_einsum)

    def _templates(self, pmappings: EinsumPmappings) -> tuple[tuple[Template, ...], tuple[Template, ...]]:
        """Those that were explored, and those with holders that save nothing, which are in the mapspace too."""
        return pmappings.templates, left_out(pmappings.einsum, pmappings.templates, self.set.problem.options)

    def _count(self, count: Callable[[EinsumPmappings], int], per_einsum: bool) -> Any:
        counts = {e.einsum.name: count(e) for e in self.set.einsums}
        return counts if per_einsum else sum(counts.values())

    # -- groups and filters -----------------------------------------------------------------------

    @cached_property
    def einsum2pmappings(self) -> Mapping[str, list[PmappingGroup]]:
        """Einsum -> its groups of equal compatibility."""
        return {e.einsum.name: _groups(e, self.set.problem.options.metrics) for e in self.set.einsums}

    def filter(self, f: Callable[[PmappingGroup], bool], einsum_names: Sequence[str] | None = None) -> Pmappings:
        """The pmappings without the groups for which ``f`` is false; other Einsums than ``einsum_names`` stay whole."""
        if einsum_names is not None:
            self._check_names(einsum_names)
        masks = {}
        for pmappings in self.set.einsums:
            name = pmappings.einsum.name
            if einsum_names is None or name in einsum_names:
                keep = np.array([bool(f(group)) for group in self.einsum2pmappings[name]], np.bool_)
                masks[name] = np.repeat(keep, np.diff(pmappings.offsets))
        return Pmappings(self.set.keep(masks), self.problem, self.can_combine_multiple_runs)

    def filter_rows(self, f: RowFilter) -> Pmappings:
        """The pmappings whose rows ``f`` keeps: called for each Einsum with its table (see `PmappingRows.data`).

        ``f`` returns a boolean for each row or the rows to keep. Raises FFError for anything else.
        """
        metrics = self.set.problem.options.metrics
        masks = {e.einsum.name: _mask(f, _table(e, metrics, 0, len(e.rows))) for e in self.set.einsums}
        return Pmappings(self.set.keep(masks), self.problem, self.can_combine_multiple_runs)

    def __or__(self, other: Pmappings) -> Pmappings:
        """All that either run explored: other Einsums, or the same ones under other constraints.

        Both must have been made from the same spec and for different Einsums, or both with
        ``can_combine_multiple_runs=True``, in which case specs may differ in their constraints. Totals of
        runs that explored the same Einsum add up. Raises FFError for runs that cannot be combined.
        """
        if not isinstance(other, Pmappings):
            return NotImplemented
        combinable = self.can_combine_multiple_runs and other.can_combine_multiple_runs
        both = union(self.set, other.set, combinable)
        return Pmappings(both, both.problem, combinable)

    def __repr__(self) -> str:
        if not isinstance(self.source, PmappingSet):
            return f"Pmappings({type(self.source).__name__})"
        return f"Pmappings({', '.join(f'{e.einsum.name}: {len(e.rows)}' for e in self.source.einsums)})"

    def _repr_html_(self) -> str:
        """A line for each Einsum: Pareto-optimal pmappings, groups of equal compatibility, evaluations."""
        if not isinstance(self.source, PmappingSet):
            return f"<pre>{html.escape(repr(self))}</pre>"
        rows = [
            (e.einsum.name, f"{len(e.rows):,}", f"{len(e.offsets) - 1:,}", f"{e.stats.evaluated:,}")
            for e in self.source.einsums
        ]
        head = "<tr><th>Einsum</th><th>Pareto-optimal</th><th>groups</th><th>evaluated</th></tr>"
        lines = [f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows]
        return f"<table>{head}{''.join(lines)}</table>"

    def _check_names(self, names: Sequence[str]) -> None:
        known = [e.einsum.name for e in self.set.einsums]
        for name in names:
            if name not in known:
                guess = suggest(name, known)
                raise FFError(f"no pmappings of an Einsum {name!r}" + (f"; did you mean {guess!r}?" if guess else ""))


def _groups(pmappings: EinsumPmappings, metrics: Metric) -> list[PmappingGroup]:
    edges = pmappings.offsets.tolist()
    return [
        PmappingGroup(pmappings.einsum.name, compatibility, PmappingRows(pmappings, metrics, start, stop))
        for compatibility, start, stop in zip(compatibilities(pmappings), edges[:-1], edges[1:], strict=True)
    ]


def _table(pmappings: EinsumPmappings, metrics: Metric, start: int, stop: int) -> pd.DataFrame:
    import pandas as pd

    values, shape = pmappings.rows.values[start:stop], pmappings.shape
    data = {}
    objectives = Objectives.of(metrics)
    if objectives.energy:
        data[columns.join(columns.TOTAL, columns.ENERGY)] = values[:, 0]
    if objectives.latency:
        data[columns.join(columns.TOTAL, columns.LATENCY)] = values[:, 1]
    for m, memory in enumerate(shape.memories):
        data[columns.join(columns.USAGE, memory)] = values[:, shape.own(m)]
    return pd.DataFrame(data, index=np.arange(start, stop))


def _mask(f: RowFilter, table: pd.DataFrame) -> NDArray[np.bool_]:
    """What a row filter keeps, as a boolean for each row."""
    import pandas as pd

    index = table.index
    kept = f(table)
    if isinstance(kept, pd.DataFrame):
        return np.asarray(index.isin(kept.index), np.bool_)
    if isinstance(kept, pd.Series):
        kept = kept.reindex(index) if kept.index.isin(index).all() else kept
    mask = np.asarray(kept)
    if mask.dtype != np.bool_ or mask.shape != (len(index),):
        raise FFError(
            "a row filter is given the table of an Einsum's pmappings and must return the rows to keep, or a boolean "
            f"for each of its {len(index)} rows; it returned {type(kept).__name__} of shape {mask.shape}"
        )
    return mask
