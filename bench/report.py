"""Results as JSON, as a markdown table and as a plot."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import attrs

from bench.jobs import COLD, TITLES, WARM
from bench.measure import LIMIT, OK
from bench.run import ROOT, Row
from ffcore.render.xy import Line, xy_plot

PHASES = ("imports", "spec", "templates", "explore", "join", "evaluate")
SLOPE_FROM = 8  # shortest chain that counts for the slope
SLOPE_GOAL = 1.1
Environment = dict[str, str]
Results = dict[str, tuple[Environment, list[Row]]]  # bench -> where it ran, rows


def environment() -> Environment:
    """Machine, versions and commit."""
    packages = ("ffcore", "ffcore-ffm-joiner", "numpy", "numba", "llvmlite")
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "commit": _commit(),
        "machine": f"{_cpu()}, {_cores()} cores, {_memory_gib():.0f} GiB, {platform.system()} {platform.machine()}",
        "versions": ", ".join([f"Python {platform.python_version()}", *(f"{p} {_version(p)}" for p in packages)]),
    }


def _commit() -> str:
    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    changed = " with uncommitted changes" if git("status", "--porcelain", "--", "ffcore", "plugins", "bench") else ""
    return (git("rev-parse", "--short=12", "HEAD") or "unknown") + changed


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def slope(rows: Iterable[Row], mode: str = WARM) -> float | None:
    """Log-log slope of wall time over ``x`` by least squares, from 8; None with fewer than two points."""
    good = [r for r in rows if r.mode == mode and r.status == OK and r.x >= SLOPE_FROM]
    points = [(math.log(r.x), math.log(r.wall)) for r in good]
    if len(points) < 2:
        return None
    x_mean, y_mean = (sum(p[i] for p in points) / len(points) for i in (0, 1))
    return sum((x - x_mean) * (y - y_mean) for x, y in points) / sum((x - x_mean) ** 2 for x, _ in points)


def load(path: Path) -> Results:
    """Earlier results; none if there is no such file."""
    if not path.exists():
        return {}
    data = json.loads(path.read_text())
    return {
        bench: (content["environment"], [Row(**{**row, "walls": tuple(row["walls"])}) for row in content["rows"]])
        for bench, content in data.items()
    }


def save(results: Results, folder: Path) -> None:
    """Write ``latest.json``, ``latest.md`` and ``chain.svg`` (where there is a chain) into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    data: dict[str, Any] = {}
    for bench, (where, rows) in results.items():
        data[bench] = {"environment": where, "rows": [attrs.asdict(row) for row in rows]}
    (folder / "latest.json").write_text(json.dumps(data, indent=1) + "\n")
    (folder / "latest.md").write_text(markdown(results))
    plot = chain_plot(results["chain"][1]) if "chain" in results else None
    if plot is not None:
        (folder / "chain.svg").write_text(plot)


def chain_plot(rows: Sequence[Row]) -> str | None:
    """Seconds over N: the whole process, cold and warm, and each phase of the warm one."""
    good = [row for row in rows if row.status == OK]
    lines = {f"whole process, {mode}": [(r.x, r.wall) for r in good if r.mode == mode] for mode in (COLD, WARM)}
    for phase in PHASES:
        lines[phase] = [(r.x, r.phases[phase]) for r in good if r.mode == WARM and phase in r.phases]
    shown = [(name, tuple(sorted(p for p in points if min(p) > 0))) for name, points in lines.items() if points]
    drawn = [Line(name, number, points) for number, (name, points) in enumerate(shown)]
    return xy_plot("Chain of N matmuls", drawn, "N (Einsums)", "seconds") if drawn else None


def markdown(results: Results) -> str:
    """All tables. Where and when stands above each one, unless it is the same for all."""
    places = [_place(where) for where, _ in results.values()]
    same = len(set(places)) == 1
    lines = [places[0], ""] if same else []
    for bench, (_, rows) in results.items():
        lines += [f"### {TITLES[bench]}", ""]
        if not same:
            lines += [_place(results[bench][0]), ""]
        lines += table(rows)
        if bench == "chain":
            fitted = _number(slope(rows), ".3f") or "not enough points"
            lines += ["", f"Log-log slope from N = {SLOPE_FROM}: {fitted} (goal: at most {SLOPE_GOAL})."]
            lines += ["", "![seconds over N](chain.svg)"] if chain_plot(rows) else []
        if bench == "growth":
            fitted = _number(slope(rows), ".3f") or "not enough points"
            lines += ["", f"Log-log slope of seconds over tile states: {fitted} (goal: at most 1)."]
        lines.append("")
    return "\n".join(lines)


def _place(where: Mapping[str, str]) -> str:
    return f"{where['date']}, commit {where['commit']}; {where['machine']}; {where['versions']}."


def table(rows: Sequence[Row]) -> list[str]:
    """One markdown table; columns that no row fills are left out."""
    cells = [_cells(row) for row in rows]
    columns = [name for name in cells[0] if any(c[name] for c in cells)]
    lines = ["| " + " | ".join(columns) + " |", "|" + "|".join("---" if c in TEXT else "---:" for c in columns) + "|"]
    return lines + ["| " + " | ".join(c[name] for name in columns) + " |" for c in cells]


TEXT = ("job", "kernels", "note")


def _cells(row: Row) -> dict[str, str]:
    per_evaluation = 1e9 * row.phases["explore"] / row.evaluated if row.evaluated and "explore" in row.phases else None
    shown = f"> {row.wall:.0f}" if row.status == LIMIT else _number(row.wall, ".2f")
    result = {"job": row.job, "kernels": row.mode, "wall s": shown, "goal s": _goal(row)}
    result |= {phase: _number(row.phases.get(phase), ".3f") for phase in PHASES}
    result |= {
        "rest": _number(row.rest, ".2f") if row.phases else "",
        "tile states": _number(row.tile_states, ","),
        "evaluated": _number(row.evaluated, ","),
        "ns each": _number(per_evaluation, ",.0f"),
        "Pareto rows": _number(row.pareto_rows, ","),
        "mappings": _number(row.mappings, ","),
        "least EDP": _number(row.edp, ".8g"),
        "CPU s": _number(row.cpu, ".2f"),
        "peak MiB": _number(row.peak_bytes / 2**20 if row.peak_bytes else None, ".0f"),
        "note": "past its time limit" if row.status == LIMIT else row.note.replace("|", "/"),
    }
    return result


def _goal(row: Row) -> str:
    if row.goal is None:
        return ""
    beyond = " + imports" if row.beyond_imports else ""
    return f"{row.goal:g}{beyond} {'met' if row.met else 'MISSED'}"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
