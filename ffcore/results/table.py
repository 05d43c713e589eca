"""Tables of results: one row for each mapping, one column for each number, and ways to cut them down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import attrs

from ffcore.errors import FFError, suggest
from ffcore.results import columns

if TYPE_CHECKING:
    import pandas as pd


@attrs.frozen(eq=False, repr=False)
class ResultTable:
    """Numbers of mappings, as a DataFrame whose column names are those of `ffcore.results.columns`.

    ``computes``: per Einsum, the computations that one mapping does (see `per_compute`). Every
    method returns a new table; none changes this one.
    """

    data: pd.DataFrame
    computes: Mapping[str, float]

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, rows: int | slice) -> Self:
        """The table of one row or of a slice. Raises IndexError for a row that is not there."""
        if isinstance(rows, int):
            if not -len(self) <= rows < len(self):
                raise IndexError(f"there are {len(self)} mappings, so no mapping {rows}")
            rows = slice(rows, rows + 1 if rows != -1 else None)
        return attrs.evolve(self, data=self.data.iloc[rows])

    def access(self, *keys: str, col_idx: int | None = None) -> Self:
        """Columns that have all of ``keys`` among their parts, with these left out of their names.

        With ``col_idx``: columns whose part at that position is one of ``keys``. ``access("energy")`` turns
        ``V<SEP>energy<SEP>MAC<SEP>None<SEP>compute`` into ``V<SEP>MAC<SEP>None<SEP>compute``. Raises FFError
        where no column matches.
        """
        found = self._matching(keys, col_idx)
        if not found:
            raise FFError(self._nothing(keys))
        renamed = {c: columns.without(c, keys, col_idx) for c in found}
        return attrs.evolve(self, data=self.data[found].rename(columns=renamed))

    def drop(self, *keys: str, col_idx: int | None = None) -> Self:
        """All but the columns that have all of ``keys`` among their parts (``col_idx``: as in `access`)."""
        unwanted = set(self._matching(keys, col_idx))
        return attrs.evolve(self, data=self.data[[c for c in self.data.columns if c not in unwanted]])

    def sum(self, keep_indices: int | list[int] | None = None) -> Self:
        """Columns added up: those that agree in the parts at ``keep_indices``, which name the sums.

        Without it all columns are added to one, ``Total``. After ``access("energy").drop("Total")``,
        ``sum([1])`` is energy per component. Columns with fewer parts keep those they have.
        """
        kept = [] if keep_indices is None else [keep_indices] if isinstance(keep_indices, int) else keep_indices
        groups: dict[str, list[str]] = {}
        for column in self.data.columns:
            parts = columns.split(column)
            name = columns.join(*(parts[i] for i in kept if -len(parts) <= i < len(parts)))
            groups.setdefault(name or columns.TOTAL, []).append(column)
        sums = {name: self.data[members].sum(axis=1) for name, members in groups.items()}
        return attrs.evolve(self, data=_frame(sums, self.data.index))

    def per_compute(self, per_einsum: bool = False) -> Self:
        """Energies, latencies and actions divided by the number of computes; shares stay as they are.

        That is the computes of the whole workload (copies do none) or, with ``per_einsum``, for the columns
        of an Einsum those of that Einsum; columns of Einsums that compute nothing are then left out.
        """
        total = sum(self.computes.values())
        if not total:
            raise FFError("the workload computes nothing, so that there is nothing to divide by")
        divisors: dict[str, float] = {}
        for column in self.data.columns:
            parts = columns.split(column)
            number = self.computes.get(parts[0], total) if per_einsum else total
            if columns.USAGE in parts:
                divisors[column] = 1.0
            elif number:
                divisors[column] = number
        return attrs.evolve(self, data=self.data[list(divisors)] / list(divisors.values()))

    def to_dict(self, value_if_one_mapping: bool = True) -> dict[str, Any]:
        """Column -> numbers of all mappings; the number itself where there is one mapping only."""
        lists: dict[str, list[Any]] = {str(c): self.data[c].tolist() for c in self.data.columns}
        if value_if_one_mapping and len(self) == 1:
            return {name: values[0] for name, values in lists.items()}
        return dict(lists)

    def __repr__(self) -> str:
        return repr(self.data)

    def _repr_html_(self) -> str:
        html: str = self.data.to_html()
        return html

    def _matching(self, keys: tuple[str, ...], col_idx: int | None) -> list[str]:
        if not keys:
            raise FFError("say which columns are meant, such as 'energy'")
        return [c for c in self.data.columns if columns.matches(c, keys, col_idx)]

    def _nothing(self, keys: tuple[str, ...]) -> str:
        parts = dict.fromkeys(p for c in self.data.columns for p in columns.split(c))
        guesses = [g for key in keys if key not in parts and (g := suggest(key, parts))]
        hint = f"; did you mean {guesses[0]!r}?" if guesses else ""
        return f"no column has {' and '.join(map(repr, keys))}{hint}"


def _frame(data: Mapping[str, Any], index: pd.Index) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(dict(data), index=index)
