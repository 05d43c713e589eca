"""Results with AccelForge's calls and names of columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ffcore import plugin
from ffcore.plugin import JointEvaluation, architecture, columns, computes_of
from ffcore_compat_accelforge.table import Table

if TYPE_CHECKING:
    import pandas as pd

    from ffcore_compat_accelforge.spec import Spec

_LEAK = "leak"


class Picture(str):
    """A picture as the text of its file; ``drawn``: what draws it in other formats."""

    drawn: Any

    def __new__(cls, drawn: Any) -> Picture:
        """Of something that can be drawn."""
        svg = drawn._repr_svg_()
        made = super().__new__(cls, drawn.text if svg is None else svg)
        made.drawn = drawn
        return made

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.drawn, name)


class Mappings:
    """Mappings of a workload; what is not here is as in ffcore's own ``Mappings`` (``found``)."""

    def __init__(self, found: plugin.Mappings, spec: Spec) -> None:
        self.found = found
        self.spec = spec

    def __len__(self) -> int:
        return len(self.found)

    def __getitem__(self, rows: int | slice) -> Mappings:
        return Mappings(self.found[rows], self.spec)

    def __iter__(self) -> Iterator[Mappings]:
        return (Mappings(one, self.spec) for one in self.found)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.found, name)

    @property
    def einsum_names(self) -> list[str]:
        """Einsums in the order in which they run."""
        return [einsum.name for einsum in self.spec.workload.einsums]

    def n_computes(self, per_einsum: bool = False) -> Any:
        """Computes of the whole workload, or of each Einsum."""
        each = {e.name: computes_of(e) for e in self.found.entries[0].problem.einsums} if len(self) else {}
        return each if per_einsum else sum(each.values())

    # -- numbers ----------------------------------------------------------------------------------

    def energy(self, *args: Any, list_if_one_mapping: bool = False, **by: bool) -> Any:
        """J; see ``ffcore``'s call for ``per_einsum``, ``per_component``, ``per_tensor``, ``per_action``."""
        return self._several(self.found.energy(*args, **by), list_if_one_mapping)

    def latency(self, *args: Any, list_if_one_mapping: bool = False, **by: bool) -> Any:
        """s, likewise."""
        return self._several(self.found.latency(*args, **by), list_if_one_mapping)

    def actions(
        self,
        per_einsum: bool = False,
        per_component: bool = True,
        per_tensor: bool = False,
        list_if_one_mapping: bool = False,
    ) -> Any:
        """Actions of all instances, by Einsum, component and tensor as far as asked for, and by action."""
        wanted = (per_einsum, per_component, per_tensor, True)

        def of(index: int, evaluation: JointEvaluation) -> dict[Any, float]:
            result: dict[Any, float] = {}
            for einsum, nest in zip(self.found.entries[index].problem.einsums, evaluation.evaluations, strict=True):
                for key, count in nest.actions.items():
                    parts = tuple(p for p, want in zip((nest.einsum, *key), wanted, strict=True) if want)
                    name = parts[0] if len(parts) == 1 else parts
                    result[name] = result.get(name, 0.0) + count.total * einsum.n_instances
            return result

        found = [of(index, evaluation) for index, evaluation in enumerate(self.found.evaluations)]
        return found if len(found) != 1 or list_if_one_mapping else found[0]

    def resource_usage(self, list_if_one_mapping: bool = False) -> dict[str, Any]:
        """Memory -> its greatest share in use, 0 to 1."""
        each = [{name: peak.share for name, peak in e.peaks.items()} for e in self.found.evaluations]
        names = dict.fromkeys(name for shares in each for name in shares)
        table = {name: [shares.get(name, 0.0) for shares in each] for name in names}
        if len(each) == 1 and not list_if_one_mapping:
            return {name: shares[0] for name, shares in table.items()}
        return dict(table)

    def mapping(self, index: int | None = None) -> Any:
        """The mapping tree of mapping ``index``."""
        return self.found.tree(index)

    def render(self, index: int | None = None, **_options: object) -> Any:
        """The picture of mapping ``index``: its SVG as text, which Jupyter shows; without a renderer its text."""
        return Picture(self.found.render(index))

    # -- the table --------------------------------------------------------------------------------

    @cached_property
    def data(self) -> pd.DataFrame:
        """One row for each mapping, with AccelForge's columns; ``mapping`` columns hold mapping trees."""
        import pandas as pd

        nodes = architecture.walk(self.spec.arch.nodes)
        components = [node.name for node in nodes if isinstance(node, architecture.Component)]
        rows = [_row(self.found, index, components) for index in range(len(self.found))]
        names = list(dict.fromkeys(name for row in rows for name in row))
        return pd.DataFrame([{name: row.get(name, 0.0) for name in names} for row in rows], columns=names)

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return [str(column) for column in self.data.columns]

    @property
    def table(self) -> Table:
        """The numbers of ``data`` as a table to cut down."""
        each = self.n_computes(per_einsum=True)
        return Table(self.data[[c for c in self.columns if columns.split(c)[-1] != "mapping"]], each)

    def access(self, *keys: str, col_idx: int | None = None) -> Table:
        """Columns that have all of ``keys`` among their parts, without these."""
        return self.table.access(*keys, col_idx=col_idx)

    def drop(self, *keys: str) -> Table:
        """All but the columns that have all of ``keys`` among their parts."""
        return self.table.drop(*keys)

    def sum(self, keep_key_index: int | list[int] | None = None) -> Table:
        """Columns added up."""
        return self.table.sum(keep_key_index)

    def drop_zeros(self) -> Table:
        """All but the columns that are zero for every mapping."""
        return self.table.drop_zeros()

    def drop_components(self, keep: Iterable[str] | None = None, drop: Iterable[str] | None = None) -> Table:
        """Without the columns of the components in ``drop``, or of all but those in ``keep``."""
        return self.table.drop_components(keep, drop)

    def drop_components_with_zero_energy_and_latency(self) -> Table:
        """Without the columns of components that take neither energy nor time."""
        return self.table.drop_components_with_zero_energy_and_latency()

    def items(self, list_if_one_mapping: bool = False) -> list[tuple[str, Any]]:
        """(column, numbers of all mappings, or the number of the only one)."""
        return self.table.items(list_if_one_mapping)

    def per_tensor_size(self, return_n_elements: bool = False) -> dict[str, float]:
        """Bits of each tensor, or its values."""
        found: dict[str, float] = {}
        for einsum in self.found.entries[0].problem.einsums if len(self) else ():
            for tensor in einsum.tensors:
                values = tensor.whole(einsum.bounds)
                found.setdefault(tensor.base, values if return_n_elements else values * tensor.bits_per_value)
        return found

    def per_compute(self, per_einsum: bool = False) -> Table:
        """Numbers divided by the computes."""
        return self.table.per_compute(per_einsum)

    def to_dict(self, list_if_one_mapping: bool = False) -> dict[str, Any]:
        """Column -> numbers of all mappings, or the number of the only one."""
        return self.table.to_dict(not list_if_one_mapping)

    def _several(self, value: Any, as_list: bool) -> Any:
        if not as_list or len(self) != 1:
            return value
        return {key: [number] for key, number in value.items()} if isinstance(value, dict) else [value]


def _row(found: plugin.Mappings, index: int, components: Sequence[str]) -> dict[str, Any]:
    """The columns of one mapping; ``components``: all of the architecture."""
    evaluation, entry = found.evaluations[index], found.entries[index]
    leaks = [e for n in evaluation.evaluations for key, e in n.energy.items() if key.action == _LEAK]
    leak = math.fsum(leaks)
    row: dict[str, Any] = {
        columns.join("Total", "latency"): evaluation.total_latency,
        columns.join("Total", "energy"): evaluation.total_energy,
        columns.join("Total", "leak_energy"): leak,
        columns.join("Total", "dynamic_energy"): evaluation.total_energy - leak,
    }
    for einsum, nest in zip(entry.problem.einsums, evaluation.evaluations, strict=True):
        name = nest.einsum
        for (component, dimension), share in nest.spatial_usage.items():
            row[columns.join(name, "usage", "spatial", component, dimension)] = share
        for held in nest.reservations:
            row[columns.join(name, "usage", "memory", held.component, held.tensor)] = held.share
        for key in nest.actions:  # what a component may do and does not is there too
            if key.tensor is not None:
                for action in ("read", "write") if key.action in ("read", "write") else ():
                    row.setdefault(columns.join(name, "action", key.component, key.tensor, action), 0.0)
            row.setdefault(columns.join(name, "latency", key.component), 0.0)
        for component in components:
            row[columns.join(name, "energy", component, _LEAK)] = 0.0
        for key, count in nest.actions.items():
            row[columns.join(name, "action", *key)] = count.total * einsum.n_instances
        for key, joules in nest.energy.items():
            parts: Sequence[str | None] = (key.component, _LEAK) if key.action == _LEAK else key
            row[columns.join(name, "energy", *parts)] = joules
        row |= {columns.join(name, "latency", c): seconds for c, seconds in nest.latency.items()}
        row[columns.join(name, "mapping")] = entry.tree
    row[columns.join("Total", "energy_delay_product")] = evaluation.total_energy * evaluation.total_latency
    row[columns.join("Total", "mapping")] = entry.tree
    return row
