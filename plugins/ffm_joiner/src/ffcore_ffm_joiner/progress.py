"""What the join tells while it works: Einsums joined, partial mappings kept, the best mapping known."""

from __future__ import annotations

import attrs

from ffcore.plugin import Progress, Step
from ffcore.spec.problem import Metric
from ffcore_ffm_joiner.kernels import Floats


@attrs.define
class Told:
    """Sends steps to ``progress``, if anybody wants them. Scores are energy or latency where one of them is asked for,
    else their product."""

    progress: Progress | None
    metrics: Metric
    einsums: int
    _best: float | None = None

    def known(self, points: Floats) -> None:
        """Energy (J) and latency (s) of all mappings known so far."""
        if len(points):
            columns = {"J": points[:, 0], "s": points[:, 1], "J·s": points[:, 0] * points[:, 1]}
            self._best = float(columns[self._unit].min())

    def joined(self, done: int, rows: int, note: str) -> None:
        """So many Einsums are joined to so many partial mappings."""
        self._send(done, rows, note)

    def at(self, note: str) -> None:
        """Something is done that concerns all Einsums."""
        self._send(0, 0, note)

    @property
    def _unit(self) -> str:
        both = Metric.ENERGY | Metric.LATENCY
        if Metric.ENERGY_DELAY_PRODUCT in self.metrics or both in self.metrics:
            return "J·s"
        return "J" if Metric.ENERGY in self.metrics else "s"

    def _send(self, done: int, rows: int, note: str) -> None:
        if self.progress is not None:
            unit = "" if self._best is None else self._unit
            step = Step("join", done, self.einsums, rows=rows, best=self._best, unit=unit, note=note)
            self.progress(step)
