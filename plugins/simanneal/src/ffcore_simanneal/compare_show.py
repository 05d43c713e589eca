"""Showing a comparison: a table, JSON, CSV of all histories, and the convergence as a picture."""

from __future__ import annotations

import csv
import errno
import io
import json
import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from ffcore.plugin import SAME, Dimension, Line, format_quantity, write_all, xy_plot
from ffcore_simanneal.compare_run import Comparison, Run

_FILES = ("compare.json", "history.csv", "convergence.svg")
_LEAST_GAP = 1e-4  # that is drawn


def show(comparison: Comparison, format: str, out: Path) -> None:
    """Print the comparison (``text`` or ``json``) and write it into the folder ``out``."""
    write(comparison, out)
    typer.echo(_json(comparison) if format == "json" else f"{as_text(comparison)}\nconvergence: {out / _FILES[2]}")


def check_writable(out: Path) -> None:
    """Make the folder ``out``; raise ``OSError`` if nothing could be written into it."""
    out.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        if (out / name).is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(out / name))
    with tempfile.TemporaryFile(dir=out):
        pass


def write(comparison: Comparison, out: Path) -> None:
    """``compare.json``, ``history.csv`` and ``convergence.svg``. Raises ``OSError`` for what cannot be written."""
    out.mkdir(parents=True, exist_ok=True)
    contents = (_json(comparison) + "\n", as_csv(comparison), as_svg(comparison))
    write_all(out, dict(zip(_FILES, contents, strict=True)))


def as_text(comparison: Comparison) -> str:
    """The table of best scores."""
    against = "optimum" if comparison.optimum is not None else "the best known"
    head = ["joiner", "budget", f"best ({comparison.score_unit})", f"gap to {against}", "evaluations", "seconds", ""]
    rows = [head, *(_row(comparison, run) for run in comparison.runs)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:6], widths[1:6], strict=True)), row[6]]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _row(comparison: Comparison, run: Run) -> list[str]:
    budget = "-" if run.budget is None else format_quantity(run.budget, Dimension.TIME)
    if run.multiple is not None:
        budget = f"{run.multiple:g}x = {budget}"
    evaluations = "-" if run.evaluations is None else f"{run.evaluations:,.0f}"
    found = math.isfinite(run.score)
    score = f"{run.score:.10g}" if found else "none"
    return [run.joiner, budget, score, _gap(comparison.gap(run)), evaluations, f"{run.seconds:.1f}", run.note]


def _gap(gap: float) -> str:
    if not math.isfinite(gap):
        return "-"
    return "0" if abs(gap) < SAME else f"{gap:.3%}" if gap < 1 else f"{1 + gap:.4g}x"


def as_data(comparison: Comparison) -> dict[str, Any]:
    """Plain data for JSON; what does not exist is null."""
    return {
        "score": comparison.score_name,
        "unit": comparison.score_unit,
        "optimum": comparison.optimum,
        "runs": [
            {
                "joiner": run.joiner,
                "exact": run.exact,
                "budget_seconds": run.budget,
                "multiple": run.multiple,
                "score": _finite(run.score),
                "gap": _finite(comparison.gap(run)),
                "evaluations": run.evaluations,
                "seconds": run.seconds,
                "exploring_seconds": run.exploring,
                "note": run.note,
                "history": [[p.evaluations, p.seconds, p.score] for p in run.history],
            }
            for run in comparison.runs
        ],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _json(comparison: Comparison) -> str:
    return json.dumps(as_data(comparison), indent=2, allow_nan=False)


def as_csv(comparison: Comparison) -> str:
    """One line for each improvement of each run."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["joiner", "budget_seconds", "evaluations", "seconds", "score"])
    for run in comparison.runs:
        for p in run.history:
            budget = "" if run.budget is None else repr(run.budget)
            table.writerow([run.joiner, budget, repr(p.evaluations), repr(p.seconds), repr(p.score)])
    return text.getvalue()


def as_svg(comparison: Comparison) -> str:
    """Gap of the best score so far to the optimum (or to the best of all) over seconds; no gap lies at the bottom."""
    one = comparison.reference if 0 < comparison.reference < math.inf else 1.0
    lines: list[Line] = []
    names = list(dict.fromkeys(run.joiner for run in comparison.runs))
    longest = _longest(comparison.runs)
    for run in comparison.runs:
        points = [(p.seconds, max(p.score / one - 1, _LEAST_GAP)) for p in run.history]
        if points:
            end = max(run.seconds, longest if run.exact else 0.0)
            lines.append(Line(run.joiner, names.index(run.joiner), (*points, (end, points[-1][1])), run.exact))
    against = "optimum" if comparison.optimum is not None else "best known"
    title = f"{comparison.score_name}: gap to the {against}, relative ({_LEAST_GAP:g}: that or less)"
    return xy_plot(title, lines, "seconds of wall time", steps=True)


def _longest(runs: Sequence[Run]) -> float:
    return max((run.seconds for run in runs), default=0.0)
