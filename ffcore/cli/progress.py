"""Progress on stderr while a person is watching; silence in pipes and logs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs

from ffcore.phases import current_phase
from ffcore.plugin.progress import Step

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

_EVERY = 0.05  # s between two pictures
_BAR = 16  # characters
_MEANINGFUL = 0.05, 1.0  # share of a phase and s that must have passed before the time left is estimated


@attrs.define
class Shown:
    """One phase: what was told last, and how fast it goes."""

    step: Step
    begun: float  # s, by the clock
    ended: float | None = None
    _share: float | None = None  # what was done when the first of it was told
    _since: float = 0.0

    def tell(self, step: Step, now: float) -> None:
        """Something new. What counts less than before has begun anew; until something is done, no pace is taken."""
        share, last = step.fraction, self.step.fraction
        if share is not None and (self._share is None or last is None or share < last or share == self._share):
            self._share, self._since = share, now
        self.step = step

    def left(self, now: float) -> float | None:
        """Seconds that are left at the pace so far; None as long as that says nothing."""
        share = self.step.fraction
        if share is None or self._share is None:
            return None
        done, passed = share - self._share, now - self._since
        if done < _MEANINGFUL[0] or passed < _MEANINGFUL[1]:
            return None
        return passed * (1 - share) / done


class Watch:
    """Takes what parts tell: the latest of each phase is kept, and shown where a person is watching.

    ``draw`` shows all phases; ``check`` is called whenever something is told. All of it happens in the caller's thread:
    no thread draws, since a process that has threads must not be forked, so that workers would be threads too.
    """

    def __init__(
        self,
        draw: Callable[[Watch], None] | None = None,
        check: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.phases: dict[str, Shown] = {}
        self.now = clock
        self.draw = draw
        self._check = check
        self._drawn = float("-inf")

    def __call__(self, news: str | Step) -> None:
        self._check()
        step, now = self._step(news), self.now()
        if step.phase not in self.phases:
            for shown in self.phases.values():
                shown.ended = shown.ended or now
            self.phases[step.phase] = Shown(step, now)
            self._drawn = float("-inf")
        self.phases[step.phase].tell(step, now)
        if self.draw is not None and now - self._drawn >= _EVERY:
            self._drawn = now
            self.draw(self)

    def known(self, phase: str) -> str:
        """What is known of a phase; empty where nothing was told."""
        shown = self.phases.get(phase)
        return "" if shown is None else shown.step.counts or shown.step.note

    def _step(self, news: str | Step) -> Step:
        """A line is a note on the phase that is under way."""
        if isinstance(news, Step):
            return news
        phase = current_phase() or next(reversed(self.phases), "job")
        last = self.phases[phase].step if phase in self.phases else Step(phase)
        return attrs.evolve(last, note=str(news))


@contextmanager
def progress_display(check: Callable[[], None] = lambda: None) -> Iterator[Watch]:
    """A `Watch` that shows the phases on stderr while the body runs, if that is a terminal; nothing is left of it."""
    if not sys.stderr.isatty():
        yield Watch(check=check)
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    if console.is_dumb_terminal:
        yield Watch(check=check)
        return
    with Live(console=console, transient=True, auto_refresh=False, redirect_stdout=False) as live:
        yield Watch(_drawing(live), check)


def _drawing(live: Live) -> Callable[[Watch], None]:
    return lambda watch: live.update(picture(watch), refresh=True)


def picture(watch: Watch) -> Table:
    """One line for each phase, and below the one under way what it is at."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    now = watch.now()
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(width=_BAR)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column(justify="right", no_wrap=True)
    for phase, shown in watch.phases.items():
        step, share = shown.step, shown.step.fraction
        under_way = phase == next(reversed(watch.phases))
        bar: Any = "" if share is None else ProgressBar(total=1.0, completed=share if under_way else 1.0, width=_BAR)
        passed = _clock((now if under_way else shown.ended or now) - shown.begun)
        style = "bold" if under_way else "dim"
        table.add_row(Text(_printable(phase), style), bar, Text(_printable(step.counts), style), Text(passed, style))
        left = shown.left(now)
        said = [f"about {_clock(left)} left"] if left else []
        if under_way and (said or step.note):
            table.add_row("", "", Text(_printable("; ".join([*said, step.note])), "dim"), "")
    return table


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _printable(text: str) -> str:
    """Names come from the user's files: whatever they hold, the terminal gets no control characters."""
    return "".join(c if c.isprintable() else "?" for c in text)
