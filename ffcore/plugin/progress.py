"""How a part tells what it is doing: a line of text, or a `Step` that can be counted and timed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import attrs


@attrs.frozen
class Step:
    """How far a phase of a job is; ``str()`` says it in one line. What is 0 or None is not known, or not counted."""

    phase: str  # "explore", "join", or a word of the part's own
    done: int = 0  # Einsums
    total: int = 0  # Einsums in all
    templates: int = 0  # done
    all_templates: int = 0
    evaluated: int = 0
    rows: int = 0  # that are kept: Pareto-optimal pmappings, partial mappings
    best: float | None = None  # the best score so far
    unit: str = ""  # of it: J, s or J·s
    note: str = ""  # what has just been done, or is being done
    share: float | None = None  # of the phase that is done, where that is known better than by counts

    @property
    def fraction(self) -> float | None:
        """The share of the phase that is done, by the finest count there is."""
        if self.share is not None:
            return min(1.0, self.share)
        if self.all_templates:
            return min(1.0, self.templates / self.all_templates)
        return min(1.0, self.done / self.total) if self.total else None

    @property
    def best_text(self) -> str:
        """The best score with its unit; empty where there is none."""
        return "" if self.best is None else f"best so far {self.best:.6g} {self.unit}".rstrip()

    @property
    def counts(self) -> str:
        """All that was counted, and the best score."""
        parts = [f"{self.done:,} of {self.total:,} Einsums"] if self.total else []
        if self.all_templates:
            parts.append(f"{self.templates:,} of {self.all_templates:,} templates")
        parts += [f"{n:,} {what}" for n, what in ((self.evaluated, "evaluated"), (self.rows, "kept")) if n]
        return ", ".join([*parts, self.best_text] if self.best_text else parts)

    def __str__(self) -> str:
        said = "; ".join(part for part in (self.counts, self.note) if part)
        return f"{self.phase}: {said}" if said else self.phase


Progress: TypeAlias = Callable[[str | Step], None]
"""``progress(Step("explore", 3, 8))`` or ``progress("QK: 12 of 158 templates")``: now and then, from the calling thread
only. Whoever is called takes both; ``str()`` makes a line of either."""
