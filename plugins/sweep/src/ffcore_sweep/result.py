"""What a sweep found, point by point."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import attrs

from ffcore.plugin import Dimension, Mappings, Metric, NoValidMappingError, Objectives, format_quantity
from ffcore_sweep.axes import Axis, Value
from ffcore_sweep.columns import Design, Detail, all_rows, column_of, front, numeric, row

if TYPE_CHECKING:
    import pandas as pd

FOUND, NOTHING, FAILED = "found", "no valid mapping", "failed"


@attrs.frozen(eq=False)
class SweepPoint:
    """One point: the numbers of its mappings, or why there is none.

    ``values``: by path, quantities in SI units. ``numbers``: energy (J) and latency (s) of each mapping; ``best``: the
    one that the spec's metrics prefer (the least energy or latency where only one is asked for, else the least
    product). ``mappings``: what a single run returns; None where the point was read from a folder, which holds the
    best one as YAML.
    """

    number: int
    values: Mapping[str, Value]
    status: str  # FOUND, NOTHING or FAILED
    numbers: tuple[tuple[float, float], ...] = ()
    best: int = 0
    reason: str = ""
    short_reason: str = ""
    mappings: Mappings | None = None
    design: Design | None = None
    details: tuple[Detail, ...] = ()  # of each mapping

    @property
    def energy(self) -> float | None:
        """Of the best mapping, J."""
        return self.numbers[self.best][0] if self.numbers else None

    @property
    def latency(self) -> float | None:
        """Of the best mapping, s."""
        return self.numbers[self.best][1] if self.numbers else None

    @property
    def edp(self) -> float | None:
        """Energy-delay product of the best mapping, J·s."""
        return self.numbers[self.best][0] * self.numbers[self.best][1] if self.numbers else None

    @property
    def n_mappings(self) -> int:
        """How many mappings there are, none dominated in the spec's metrics."""
        return len(self.numbers)

    def row(self) -> dict[str, object]:
        """The point as a row of a table: values by path, then SI numbers by name and unit."""
        return row(self)


@attrs.frozen(eq=False)
class Sweep(Sequence[SweepPoint]):
    """All points of a sweep, the first axis slowest."""

    axes: tuple[Axis, ...]
    points: Sequence[SweepPoint]

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, number):  # type: ignore[no-untyped-def]
        return self.points[number]

    def __iter__(self) -> Iterator[SweepPoint]:
        return iter(self.points)

    @property
    def data(self) -> pd.DataFrame:
        """A row for each point: the values, named by their paths, ``status``, the numbers of the best mapping (see
        docs/howto/sweep.md), ``mappings`` (how many there are) and ``reason``."""
        import pandas as pd

        return pd.DataFrame([point.row() for point in self.points])

    @property
    def all_mappings(self) -> pd.DataFrame:
        """A row for each mapping of each point, and ``point`` and ``mapping``, their numbers."""
        import pandas as pd

        rows = all_rows(self.points)
        return pd.DataFrame([{"point": self.points[place].number, "mapping": m, **cells} for place, m, cells in rows])

    def front(self, *columns: str) -> pd.DataFrame:
        """The rows of `all_mappings` that no other one beats in these columns, such as ``"energy", "area"``.

        Less is better but for ``tops``, ``tops_per_W`` and ``utilisation``. Raises SpecError for names of no column.
        """
        known = numeric(self.points)
        kept = front(self.points, [column_of(name, known) for name in columns])
        numbers = {(self.points[place].number, mapping) for place, mapping in kept}
        table = self.all_mappings
        return table[[key in numbers for key in zip(table["point"], table["mapping"], strict=True)]]


def best_of(metrics: Metric, numbers: Sequence[tuple[float, float]]) -> int:
    """The mapping that the metrics prefer, by energy and latency of each."""
    objectives = Objectives.of(metrics)

    def score(i: int) -> tuple[float, ...]:
        energy, latency = numbers[i]
        return objectives.score(energy, latency), energy * latency

    return min(range(len(numbers)), key=score)


def shortened(error: Exception) -> str:
    """The cause in a few words."""
    if isinstance(error, NoValidMappingError) and error.memory and error.needed_bits is not None:
        return f"{error.memory} needs {format_quantity(error.needed_bits, Dimension.SIZE, 6)}"
    text = str(error).split("\n")[0].split("; ")[0]
    return text if len(text) <= _SHORT else text[: _SHORT - 1].rstrip() + "…"


_SHORT = 60
