"""An architect's session: one spec in one Python process, mapped again after each change. Prints JSON.

Run as a process of its own by ``python -m bench session``. Each step is timed from the change to the mappings.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ffcore as ff
from bench.jobs import CONSTRAINED
from ffcore.phases import phase, recording

SIZE = "arch.nodes.GlobalBuffer.size"
BANDWIDTH = "arch.nodes.MainMemory.actions.{}.throughput"
MIB = 2**20 * 8  # bits


def step(name: str, spec: ff.Spec, cache: Path | None, changes: Mapping[str, float]) -> dict[str, Any]:
    """Change the spec, map it, and say how long it took."""
    start = time.perf_counter()
    with recording() as clock:
        with phase("spec"):
            for path, value in changes.items():
                spec.set(path, value)
        with phase("explore"):
            pmappings = ff.mapper.FFM.make_pmappings(spec, cache_dir=cache)
        with phase("join"):
            mappings = ff.mapper.FFM.join_pmappings(spec, pmappings)
        with phase("evaluate"):
            totals = mappings.access("Total").data
    wall = time.perf_counter() - start
    return {
        "name": name,
        "change": bool(changes),
        "wall": wall,
        "phases": clock.seconds,
        "evaluated": int(pmappings.evaluated_pmappings()),
        "pareto_rows": int(pmappings.pareto_optimal_pmappings()),
        "mappings": len(mappings),
        "edp": float((totals["energy"] * totals["latency"]).min()),
    }


def session(workload: str, parameters: Mapping[str, int], cache: Path) -> list[dict[str, Any]]:
    """The steps: changes without a cache, then the same with one, then each again, now cached."""
    spec = ff.Spec.from_yaml(CONSTRAINED, workload, jinja_parse_data=parameters)
    spec.mapper.ffm.metrics = ff.mapper.FFM.Metrics.ENERGY | ff.mapper.FFM.Metrics.LATENCY
    spec.mapper.ffm.max_fused_loops = 2
    faster = {BANDWIDTH.format(action): 8 * 1200e9 for action in ("read", "write")}
    as_before = {BANDWIDTH.format(action): 8 * 614e9 for action in ("read", "write")}
    steps = [step("first mapping", spec, None, {})]
    for state, folder in (("no cache", None), ("new to the cache", cache), ("cached", cache)):
        steps += [
            step(f"GlobalBuffer 96 MiB, {state}", spec, folder, {SIZE: 96 * MIB, **as_before}),
            step(f"MainMemory 1200 GB/s, {state}", spec, folder, faster),
        ]
    return steps


def main() -> None:
    """Run the session on the workload that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload", help="a file or the name of a packaged workload")
    parser.add_argument("parameters", type=json.loads, help="its Jinja parameters as a JSON object")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ffcore-pmappings-") as cache:
        print(json.dumps({"steps": session(arguments.workload, arguments.parameters, Path(cache))}))


if __name__ == "__main__":
    main()
