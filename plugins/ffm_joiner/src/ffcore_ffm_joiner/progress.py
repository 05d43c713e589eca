"""What the join tells while it works: Einsums joined, partial mappings kept, the best mapping known."""

from __future__ import annotations

import time

import attrs

from ffcore.plugin import Limits, Metric, Objectives, Progress, Step, TimeLimitError, time_text
from ffcore_ffm_joiner.kernels import Floats


@attrs.define
class Reporter:
    """Sends steps to ``progress``, if anybody wants them. Scores are energy or latency where one of them is asked for,
    else their product."""

    progress: Progress | None
    metrics: Metric
    einsums: int
    limits: Limits | None = None
    _best: float | None = None

    def known(self, points: Floats) -> None:
        """Energy (J) and latency (s) of all mappings known so far."""
        if len(points):
            columns = {"J": points[:, 0], "s": points[:, 1], "J·s": points[:, 0] * points[:, 1]}
            self._best = float(columns[self._unit].min())

    def joined(self, done: int, rows: int, note: str) -> None:
        """So many Einsums are joined to so many partial mappings."""
        if done < self.einsums:  # what is made of all of them is not thrown away
            self._check()
        self._send(done, rows, note)

    def at(self, note: str) -> None:
        """Something is done that concerns all Einsums."""
        self._check()
        self._send(0, 0, note)

    def _check(self) -> None:
        """Raise TimeLimitError when time is up (a while later as long as no mapping is known), MemoryLimitError when
        there is too little memory."""
        if self.limits is None:
            return
        if time.monotonic() >= (self.limits.hard if self._best is None else self.limits.soft):
            raise TimeLimitError(
                f"the time limit of {time_text(self.limits.seconds)} ended the join before any mapping was found; "
                "raise mapper.ffm.time_limit (--time-limit)"
            )
        self.limits.check_memory("joining")

    @property
    def _unit(self) -> str:
        return Objectives.of(self.metrics).unit

    def _send(self, done: int, rows: int, note: str) -> None:
        if self.progress is not None:
            unit = "" if self._best is None else self._unit
            step = Step("join", done, self.einsums, rows=rows, best=self._best, unit=unit, note=note)
            self.progress(step)
