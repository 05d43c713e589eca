"""Mappings of the whole workload: what a join or an evaluation gives back."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from ffcore.errors import FFError
from ffcore.mapping.convert import nests_to_tree
from ffcore.mapping.dialect import to_yaml
from ffcore.mapping.nest import Nest
from ffcore.mapping.tree import MappingTree
from ffcore.model.types import JointEvaluation, NestEvaluation
from ffcore.pmappings.guarantee import Guarantee
from ffcore.results import columns
from ffcore.results.table import ResultTable
from ffcore.spec.problem import EinsumProblem, Problem
from ffcore.units import Dimension, format_quantity

if TYPE_CHECKING:
    import pandas as pd

    from ffcore.render import Rendering

Evaluate = Callable[[Problem, Sequence[Nest]], JointEvaluation]
_SHOWN = 20  # rows of a printed table


@attrs.define(eq=False)
class MappingEntry:
    """One mapping; evaluated when it is first asked for its numbers."""

    problem: Problem
    nests: tuple[Nest, ...]
    _evaluate: Evaluate
    _tree: MappingTree | None = None
    _evaluation: JointEvaluation | None = attrs.field(default=None, init=False)

    @property
    def evaluation(self) -> JointEvaluation:
        """What the model says of it. Raises what the model raises, and FFError where a sum is too large for a float."""
        if self._evaluation is None:
            found = self._evaluate(self.problem, self.nests)
            energy, latency = found.total_energy, found.total_latency
            if not math.isfinite(energy) or not math.isfinite(latency) or not math.isfinite(energy * latency):
                raise FFError(
                    f"a mapping takes {energy:g} J and {latency:g} s, {energy * latency:g} J·s, more than a number "
                    "can hold: some energy, throughput or scale of the spec is out of all proportion"
                )
            self._evaluation = found
        return self._evaluation

    @property
    def tree(self) -> MappingTree:
        """The mapping tree: as it was read, or made of the nests."""
        if self._tree is None:
            self._tree = nests_to_tree(self.problem, self.nests)
        return self._tree


class Mappings:
    """Mappings of one workload, each evaluated by the model: J, s, shares of memories.

    ``len`` and indices count mappings; ``mappings[0]`` and slices are ``Mappings`` again. Numbers come as one value
    where there is one mapping, else as a list with one entry for each. The table behind ``data``, `access`, `drop`,
    `sum`, `per_compute` and `to_dict` names its columns as `ffcore.results.columns` says.
    """

    def __init__(self, entries: Sequence[MappingEntry], guarantee: Guarantee | None = None) -> None:
        self.entries = tuple(entries)
        self.guarantee = guarantee
        """What the search that found the mappings promises of them as a whole; None where it promises nothing."""

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, rows: int | slice) -> Mappings:
        if isinstance(rows, slice):
            return Mappings(self.entries[rows])
        if not -len(self) <= rows < len(self):
            raise IndexError(f"there are {len(self)} mappings, so no mapping {rows}")
        return Mappings((self.entries[rows],))

    def __iter__(self) -> Iterator[Mappings]:
        return (Mappings((entry,)) for entry in self.entries)

    # -- numbers ----------------------------------------------------------------------------------

    @property
    def evaluations(self) -> tuple[JointEvaluation, ...]:
        """What the model says of each mapping."""
        return tuple(entry.evaluation for entry in self.entries)

    def energy(
        self,
        per_einsum: bool = False,
        per_component: bool = False,
        per_tensor: bool = False,
        per_action: bool = False,
    ) -> Any:
        """Energy in J, leakage included; broken down, a dict.

        Its keys name the Einsum, component, tensor (None for computes and leakage) and action, as far as asked for:
        a name where one is asked for, else a tuple.
        """
        wanted = (per_einsum, per_component, per_tensor, per_action)
        if not any(wanted):
            return self._each(lambda e: e.total_energy)
        return self._each(
            lambda e: _grouped(wanted, (((n.einsum, *key), x) for n in e.evaluations for key, x in n.energy.items()))
        )

    def latency(self, per_einsum: bool = False, per_component: bool = False) -> Any:
        """Latency in s; broken down, a dict as `energy` gives it.

        Components of one Einsum overlap: it takes as long as the slowest. So what components are busy
        does not add up to the latency.
        """
        if per_component:
            wanted = (per_einsum, True)
            return self._each(
                lambda e: _grouped(wanted, (((n.einsum, c), x) for n in e.evaluations for c, x in n.latency.items()))
            )
        if per_einsum:
            return self._each(lambda e: {n.einsum: n.total_latency for n in e.evaluations})
        return self._each(lambda e: e.total_latency)

    @cached_property
    def table(self) -> ResultTable:
        """All numbers, broken down per Einsum, component, tensor and action."""
        import pandas as pd

        rows = [_numbers(entry) for entry in self.entries]
        names = dict.fromkeys(name for row in rows for name in row)
        # What one mapping does not do at all (an action, a memory) is none of it.
        data = pd.DataFrame([{n: row.get(n, 0.0) for n in names} for row in rows], columns=list(names), dtype=float)
        return ResultTable(data, self._computes())

    @property
    def data(self) -> pd.DataFrame:
        """The table as a DataFrame: one row for each mapping."""
        return self.table.data

    def access(self, *keys: str, col_idx: int | None = None) -> ResultTable:
        """See `ResultTable.access`."""
        return self.table.access(*keys, col_idx=col_idx)

    def drop(self, *keys: str, col_idx: int | None = None) -> ResultTable:
        """See `ResultTable.drop`."""
        return self.table.drop(*keys, col_idx=col_idx)

    def sum(self, keep_indices: int | list[int] | None = None) -> ResultTable:
        """See `ResultTable.sum`; meaningful after `access`, where columns are of one kind."""
        return self.table.sum(keep_indices)

    def per_compute(self, per_einsum: bool = False) -> ResultTable:
        """See `ResultTable.per_compute`."""
        return self.table.per_compute(per_einsum)

    def to_dict(self, value_if_one_mapping: bool = True) -> dict[str, Any]:
        """See `ResultTable.to_dict`."""
        return self.table.to_dict(value_if_one_mapping)

    # -- the mappings themselves ------------------------------------------------------------------

    @property
    def nests(self) -> tuple[tuple[Nest, ...], ...]:
        """For each mapping, one nest for each Einsum in workload order."""
        return tuple(entry.nests for entry in self.entries)

    def tree(self, i: int | None = None) -> MappingTree:
        """The mapping tree of mapping ``i``, which may be left out where there is only one."""
        return self._entry(i).tree

    def to_yaml(self, i: int | None = None) -> str:
        """Mapping ``i`` as YAML that `ffcore.evaluate_mapping` and ``ff evaluate`` read."""
        return to_yaml(self.tree(i))

    def render(self, i: int | None = None) -> Rendering:
        """A picture of mapping ``i`` (text always; more where a renderer is installed)."""
        from ffcore.render import render_mapping

        entry = self._entry(i)
        return render_mapping(entry.tree, entry.problem, evaluation=entry.evaluation)

    def __repr__(self) -> str:
        return "\n".join(["  ".join(cell.rjust(12) for cell in row) for row in self._summary()])

    def _repr_html_(self) -> str:
        """The table of all mappings, and the picture of one that is alone."""
        head, *rows = ([html.escape(cell) for cell in row] for row in self._summary())
        lines = [f"<tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr>"]
        lines += [f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows]
        picture = self.render().html if len(self) == 1 else ""
        return f"<table>{''.join(lines)}</table>{picture}"

    def _summary(self) -> list[list[str]]:
        rows = [["mapping", "energy", "latency", "EDP (J·s)"]]
        for number, entry in enumerate(self.entries[:_SHOWN]):
            e, t = entry.evaluation.total_energy, entry.evaluation.total_latency
            numbers = [format_quantity(e, Dimension.ENERGY, 6), format_quantity(t, Dimension.TIME, 6), f"{e * t:.6g}"]
            rows.append([str(number), *numbers])
        if len(self) > _SHOWN:
            rows.append([f"… {len(self)} in all", "", "", ""])
        return rows

    def _entry(self, i: int | None) -> MappingEntry:
        if i is None and len(self) != 1:
            raise FFError(f"there are {len(self)} mappings: say which one is meant")
        return self[i or 0].entries[0]

    def _each(self, number: Callable[[JointEvaluation], Any]) -> Any:
        values = [number(e) for e in self.evaluations]
        return values[0] if len(values) == 1 else values

    def _computes(self) -> dict[str, float]:
        einsums = self.entries[0].problem.einsums if self.entries else ()
        return {e.name: computes_of(e) for e in einsums}


def computes_of(einsum: EinsumProblem) -> float:
    """Points of the iteration space, of all instances; a copy computes nothing."""
    return 0.0 if einsum.is_copy else math.prod(einsum.bounds.values()) * einsum.n_instances


def _grouped(wanted: Sequence[bool], items: Iterator[tuple[tuple[str | None, ...], float]]) -> dict[Any, float]:
    """Sums of the items that agree in the wanted parts of their keys."""
    found: dict[Any, list[float]] = {}
    for key, value in items:
        kept = tuple(part for part, want in zip(key, wanted, strict=True) if want)
        found.setdefault(kept[0] if len(kept) == 1 else kept, []).append(value)
    return {key: math.fsum(values) for key, values in found.items()}


def _numbers(entry: MappingEntry) -> dict[str, float]:
    """The row of one mapping: column -> number."""
    joint = entry.evaluation
    row = {
        columns.join(columns.TOTAL, columns.ENERGY): joint.total_energy,
        columns.join(columns.TOTAL, columns.LATENCY): joint.total_latency,
    }
    row |= {columns.join(columns.USAGE, memory): peak.share for memory, peak in joint.peaks.items()}
    for einsum, evaluation in zip(entry.problem.einsums, joint.evaluations, strict=True):
        row |= _einsum_numbers(einsum, evaluation)
    for (name, memory), share in joint.share.items():
        row[columns.join(name, columns.USAGE, memory)] = share
    return row


def _einsum_numbers(einsum: EinsumProblem, evaluation: NestEvaluation) -> dict[str, float]:
    name = evaluation.einsum
    row = {columns.join(name, columns.ENERGY, *key): joules for key, joules in evaluation.energy.items()}
    row |= {columns.join(name, columns.LATENCY, c): seconds for c, seconds in evaluation.latency.items()}
    for key, count in evaluation.actions.items():
        row[columns.join(name, columns.ACTION, *key)] = count.total * einsum.n_instances
    return row
