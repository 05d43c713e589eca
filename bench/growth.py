"""How one exploration grows with an array: fanouts from 64 up, alone and with a second, equal dimension; prints JSON.

Run as a process of its own by ``python -m bench growth``; one thread, kernels compiled. *Tile states* are the lists of
labels that the explorer fills: one for each tile size at a cut and, within a spatial dimension, for each share of the
fanout in use.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import ffcore as ff
from bench.jobs import INPUTS
from bench.run import ROOT
from ffcore.explore.explorer import explore
from ffcore.explore.search import labels, spread
from ffcore.explore.search.kernels import Gathered

FANOUTS = (64, 256, 1024, 4096, 16384, 65536)
REPEAT = 3


@contextmanager
def counted() -> Iterator[list[int]]:
    """Sizes of the tables of lists that are filled meanwhile."""
    states: list[int] = []

    def wrap(module: Any, name: str) -> Any:
        kernel: Callable[..., Any] = getattr(module, name)

        def call(*arguments: Any, **options: Any) -> Any:
            result = kernel(*arguments, **options)
            lists = result.lists if isinstance(result, Gathered) else result[0]
            states.append(len(lists.offsets) - 1)
            return result

        return mock.patch.object(module, name, call)

    with wrap(spread, "gather"), wrap(labels, "gather"), wrap(labels, "union_prime"):
        yield states


def step(extent: int, fanouts: tuple[int, ...]) -> dict[str, Any]:
    """One matmul on one array: the fastest exploration of some."""
    files = (str(ROOT / INPUTS / name) for name in ("free_array.arch.yaml", "matmul.workload.yaml"))
    parameters = {"M": extent, "K": extent, "N": extent, "FANOUTS": "x".join(map(str, fanouts))}
    spec = ff.Spec.from_yaml(*files, jinja_parse_data=parameters)
    spec.mapper.ffm.metrics = ff.mapper.FFM.Metrics.ENERGY | ff.mapper.FFM.Metrics.LATENCY
    problem = spec.problem()
    with counted() as states:
        explore(problem)
    seconds = []
    for _ in range(REPEAT):
        start = time.perf_counter()
        found = explore(problem)
        seconds.append(time.perf_counter() - start)
    return {
        "name": " x ".join(f"{n:,}" for n in fanouts),
        "change": False,
        "wall": min(seconds),
        "phases": {"explore": min(seconds)},
        "tile_states": sum(states),
        "evaluated": int(sum(e.stats.evaluated for e in found)),
        "pareto_rows": sum(len(e.rows) for e in found),
        "x": sum(states),
    }


def main() -> None:
    """Each fanout once, then twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("extent", type=int, help="M, K and N of the matmul")
    parser.add_argument("largest", type=int, help="the largest fanout")
    arguments = parser.parse_args()
    explore_all = [(n,) * count for count in (1, 2) for n in FANOUTS if n <= arguments.largest]
    print(json.dumps({"steps": [step(arguments.extent, fanouts) for fanouts in explore_all]}))


if __name__ == "__main__":
    main()
