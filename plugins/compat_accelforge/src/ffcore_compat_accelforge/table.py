"""Tables of numbers that answer as mappings do: what ``access``, ``drop``, ``sum`` and ``per_compute`` return."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs
import numpy as np

from ffcore.plugin import FFError, ResultTable, columns

_TOTAL = "Total"


def component_of(parts: Sequence[str]) -> str | None:
    """The component that a column, by its parts, is of; None: a total, or a mapping."""
    if parts[0] == _TOTAL or len(parts) < 3:
        return None
    return parts[3] if parts[1] == "usage" and len(parts) > 3 else parts[2]


@attrs.frozen(eq=False, repr=False)
class Table(ResultTable):
    """One row for each mapping, one column for each number; ``whole``: of all components."""

    whole: bool = True

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return [str(column) for column in self.data.columns]

    def energy(
        self,
        per_einsum: bool = False,
        per_component: bool = False,
        per_tensor: bool = False,
        per_action: bool = False,
        list_if_one_mapping: bool = False,
    ) -> Any:
        """J, or J per compute after ``per_compute``; broken down, a dict with the keys of ``Mappings.energy``.

        Raises FFError where the columns of it were dropped, or their parts taken away.
        """
        wanted = (per_einsum, per_component, per_tensor, per_action)
        if not any(wanted):
            if self.whole:
                return self._total("energy", list_if_one_mapping)
            rest = [c for c in self.columns if c.split(columns.SEP)[1:2] == ["energy"] and not c.startswith(_TOTAL)]
            return self._plain(self.data[rest].sum(axis=1), list_if_one_mapping)
        found: dict[Any, Any] = {}
        for column in self.columns:
            einsum, *rest = columns.split(column)
            if einsum == _TOTAL or rest[:1] != ["energy"]:
                continue
            if len(rest) == 3 and not self.data[column].any():
                continue  # a component that does not leak
            # Leakage is of a component and of no tensor.
            component, tensor, action = rest[1:] if len(rest) == 4 else (rest[1], "None", rest[-1])
            parts = (einsum, component, None if tensor == "None" else tensor, action)
            kept = tuple(part for part, want in zip(parts, wanted, strict=True) if want)
            key = kept[0] if len(kept) == 1 else kept
            found[key] = found.get(key, 0.0) + self.data[column]
        if not found:
            raise FFError("no column of this table is the energy of an action: ask the mappings themselves")
        return {key: self._plain(numbers, list_if_one_mapping) for key, numbers in found.items()}

    def sum(self, keep_indices: int | list[int] | None = None) -> Table:
        """Columns added up; see ``ResultTable``. Raises FFError where totals and their parts would be added."""
        totals = [column for column in self.columns if columns.split(column)[0] == _TOTAL]
        if keep_indices is None and totals and len(totals) < len(self.columns):
            raise FFError(f"the sum would count what {totals[0]} holds twice: drop('{_TOTAL}') first")
        return super().sum(keep_indices)

    def items(self, list_if_one_mapping: bool = False) -> list[tuple[str, Any]]:
        """(column, numbers of all mappings, or the number of the only one)."""
        return list(self.to_dict(not list_if_one_mapping).items())

    def drop_zeros(self) -> Table:
        """All but the columns that are zero for every mapping."""
        return attrs.evolve(self, data=self.data.loc[:, (self.data != 0).any()])

    def drop_components(self, keep: Iterable[str] | None = None, drop: Iterable[str] | None = None) -> Table:
        """Without the columns of the components in ``drop``, or of all but those in ``keep``.

        ``energy`` and ``latency`` are then those of the rest; columns of totals stay as they are.
        """
        kept, dropped = set(keep if keep is not None else ()), set(drop or ())

        def stays(column: str) -> bool:
            name = component_of(columns.split(column))
            return name is None or (name not in dropped and (keep is None or name in kept))

        return attrs.evolve(self, data=self.data[[c for c in self.columns if stays(c)]], whole=False)

    def drop_components_with_zero_energy_and_latency(self) -> Table:
        """Without the columns of components that take neither energy nor time in any mapping."""
        used = set()
        for column in self.columns:
            own = columns.split(column)
            if own[1:2] in (("energy",), ("latency",)) and (self.data[column] != 0).any():
                used.add(component_of(own))
        return self.drop_components(keep=[name for name in used if name is not None])

    def latency(self, per_einsum: bool = False, per_component: bool = False, list_if_one_mapping: bool = False) -> Any:
        """s, or s per compute; an Einsum takes as long as its slowest component. Raises FFError as `energy` does."""
        if self.whole and not (per_einsum or per_component):
            return self._total("latency", list_if_one_mapping)
        found: dict[tuple[str, ...], Any] = {}
        for column in self.columns:
            einsum, *rest = columns.split(column)
            if einsum != _TOTAL and rest[:1] == ["latency"] and len(rest) == 2:
                key: tuple[str, ...] = (einsum, rest[1]) if per_component else (einsum,)
                found[key] = np.maximum(found[key], self.data[column]) if key in found else self.data[column]
        if not found:
            raise FFError("no column of this table is the latency of a component: ask the mappings themselves")
        sums: dict[Any, Any] = {}
        for key, numbers in found.items():
            name: tuple[str, ...] = key if per_einsum else key[1:]
            sums[name] = sums.get(name, 0.0) + numbers
        plain = {k[0] if len(k) == 1 else k: self._plain(n, list_if_one_mapping) for k, n in sums.items()}
        return plain if per_einsum or per_component else plain[()]

    def _total(self, metric: str, as_list: bool) -> Any:
        column = columns.join(_TOTAL, metric)
        if column not in self.columns:
            raise FFError(f"this table has no column {column}: ask the mappings themselves")
        return self._plain(self.data[column], as_list)

    def _plain(self, numbers: Any, as_list: bool) -> Any:
        values = numbers.tolist()
        return values[0] if len(values) == 1 and not as_list else values
