"""Running jobs and turning what they print into rows."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from bench.jobs import COLD, Job
from bench.measure import FAILED, OK, Measured, measure

ROOT = Path(__file__).resolve().parents[1]
ENOUGH = 60.0  # seconds spent on the warm runs of one job, after which no further one begins


@attrs.frozen
class Row:
    """One line of the table. Seconds, bytes; None where the program does not say or did not end."""

    bench: str
    job: str
    mode: str
    status: str
    wall: float  # of the fastest run
    walls: tuple[float, ...]
    cpu: float | None
    peak_bytes: int | None
    phases: Mapping[str, float] = attrs.field(factory=dict)
    evaluated: int | None = None  # pmappings that the model was evaluated on
    pareto_rows: int | None = None  # Pareto-optimal pmappings, before joining
    mappings: int | None = None  # Pareto-optimal mappings of the whole workload
    edp: float | None = None  # J·s, the least
    goal: float | None = None  # seconds
    memory_goal: float | None = None  # bytes
    beyond_imports: bool = False  # the goal of seconds does not count the imports
    tile_states: int | None = None
    x: float = 0
    note: str = ""

    @property
    def rest(self) -> float:
        """Seconds outside all phases: start of the interpreter, imports, output."""
        return self.wall - sum(self.phases.values())

    @property
    def met(self) -> bool | None:
        """Whether the goals were reached; None if there are none."""
        if self.goal is None and self.memory_goal is None:
            return None
        if self.status != OK:
            return False
        counted = self.wall - (self.phases.get("imports", 0) if self.beyond_imports else 0)
        fast = self.goal is None or counted <= self.goal
        return fast and (self.memory_goal is None or self.peak_bytes is None or self.peak_bytes <= self.memory_goal)


def run(job: Job, *, limit: float, repeat: int) -> Iterator[Row]:
    """Rows of one job. The cold run fills a new cache of kernels, which the warm ones then read.

    A run past ``limit`` seconds is a row with that status, not an error.
    """
    with tempfile.TemporaryDirectory(prefix="ffcore-bench-") as cache:
        env = {"NUMBA_CACHE_DIR": cache}
        for mode in job.modes:
            runs: list[Measured] = []
            while len(runs) < (1 if mode == COLD else repeat) and sum(r.wall for r in runs) < ENOUGH:
                runs.append(measure(job.command, limit=limit, env=env, cwd=ROOT))
                if runs[-1].status != OK:
                    break
            yield from rows(job, mode, runs)


def rows(job: Job, mode: str, runs: list[Measured]) -> Iterator[Row]:
    """What the runs of one mode come to: the fastest one's numbers, or the last one's status if it did not end well."""
    best = runs[-1] if runs[-1].status != OK else min(runs, key=lambda r: r.wall)
    common = Row(
        job.bench,
        job.name,
        mode,
        best.status,
        best.wall,
        tuple(r.wall for r in runs),
        best.cpu,
        best.peak_bytes,
        goal=job.goals.get(mode),
        memory_goal=None if job.memory_goal == float("inf") else job.memory_goal,
        beyond_imports=job.beyond_imports,
        x=job.x,
    )
    if best.status != OK:
        last_words = best.stderr.strip().splitlines()[-1:] if best.status == FAILED else []
        yield attrs.evolve(common, note=" ".join(last_words))
    elif job.steps:
        for step in json.loads(best.stdout)["steps"]:
            seconds = step.pop("wall")
            goal = common.goal if step.pop("change") else None
            # CPU time is the whole process's, not this step's.
            evolved = attrs.evolve(common, job=step.pop("name"), wall=seconds, walls=(seconds,), cpu=None, goal=goal)
            yield attrs.evolve(evolved, **step)
    elif best.stdout.startswith("{"):
        yield attrs.evolve(common, **found(json.loads(best.stdout)))
    else:
        yield common


def found(result: Mapping[str, Any]) -> dict[str, Any]:
    """What ``ff map --format json`` printed, as fields of a row."""
    stats = result["stats"]
    return {
        "phases": dict(stats["seconds"]),
        "evaluated": stats.get("evaluated_pmappings"),
        "pareto_rows": stats.get("pareto_optimal_pmappings"),
        "mappings": len(result["mappings"]),
        "edp": min(m["edp"] for m in result["mappings"]),
    }
