"""``ff explain`` and ``ff compare`` by workers of a cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plugins.dask_executor.tests.cluster import Cluster
from plugins.dask_executor.tests.cluster import no_thread_stays as no_thread_stays
from tests.cli.process import ff_here

SPEC = ("simple", "matmuls", "--set", "N_EINSUMS=2", "--set", "M=8", "--set", "KN=8",
        "--spec", "arch.nodes.GlobalBuffer.size=64B")  # fmt: skip


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    with Cluster(tmp_path_factory.mktemp("cluster") / "scheduler.json") as cluster:
        cluster.worker()
        yield ["--executor", "dask", "--executor-option", f"scheduler_file={cluster.file}"]


def answer(*words: str | Path) -> Any:
    done = ff_here(*words, "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_explain_says_the_same(options: list[str]) -> None:
    found, alone = answer("explain", *SPEC, *options), answer("explain", *SPEC, "--jobs", "1")
    for one in (found, alone):
        for effect in one["effects"]:
            effect.pop("seconds")
    assert found == alone
    assert {"better", "worse", "equal"} & {effect["outcome"] for effect in found["effects"]}  # some were searched


@pytest.mark.slow
def test_compare_finds_the_same_optimum(options: list[str], tmp_path: Path) -> None:
    words = ["compare", *SPEC, "--joiners", "ffm,random", "--budget", "200ms"]
    found = answer(*words, *options, "--out", tmp_path / "dask")
    alone = answer(*words, "--jobs", "1", "--out", tmp_path / "alone")
    best = [next(run["score"] for run in one["runs"] if run["joiner"] == "ffm") for one in (found, alone)]
    assert best[0] == best[1]
