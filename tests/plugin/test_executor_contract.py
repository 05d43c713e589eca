"""What every executor must do, whoever brings it: the same results, errors as in calls one after the other, no loss."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor
from contextlib import closing
from pathlib import Path

import pytest
from dask import config

import ffcore as ff
from ffcore import plugin
from ffcore.explore.default import DefaultExplorer
from ffcore.plugin import as_completed, may_fork, workers_of
from ffcore.pmappings.rows import Rows
from plugins.dask_executor.tests.cluster import no_thread_stays as no_thread_stays
from tests.plugin import executor_calls as calls

EXECUTORS = sorted(plugin.names("executor"))
PROCESSES = [name for name in EXECUTORS if name not in ("serial", "threads")]


@pytest.fixture(scope="module", params=EXECUTORS)
def pool(request: pytest.FixtureRequest) -> Iterator[Executor]:
    with plugin.get("executor", request.param, n_jobs=2) as executor:
        yield executor


@pytest.fixture(scope="module", params=PROCESSES)
def processes(request: pytest.FixtureRequest) -> Iterator[Executor]:
    """One whose calls are made by other processes, beside another thread: it cannot fork."""
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait, daemon=True)
    thread.start()
    assert not may_fork()
    # Of Dask's workers that die, each takes seconds to be replaced, and a call may kill four of them.
    once = config.set({"distributed.scheduler.allowed-failures": 1})
    with once, plugin.get("executor", request.param, n_jobs=2) as executor:
        yield executor
    ended.set()
    thread.join()


def test_each_call_is_made_once_and_told_with_its_number(pool: Executor) -> None:
    assert sorted(as_completed(pool, calls.square, [(n,) for n in range(7)])) == [(n, n * n) for n in range(7)]
    assert list(pool.map(calls.square, range(4))) == [0, 1, 4, 9]
    assert pool.submit(calls.square, 5).result(60) == 25
    assert isinstance(pool.submit(calls.fails_at_two, 2).exception(60), ValueError)


def test_the_first_error_in_order_is_raised_and_the_executor_goes_on(pool: Executor) -> None:
    with pytest.raises(ValueError, match="not two"):
        list(as_completed(pool, calls.fails_at_two, [(n,) for n in range(4)]))
    assert list(as_completed(pool, calls.square, [(3,), (4,)])) in ([(0, 9), (1, 16)], [(1, 16), (0, 9)])


def test_results_are_equal_to_the_last_bit(pool: Executor) -> None:
    problem = ff.Spec.from_yaml("simple", "matmuls", N_EINSUMS=3, M=8, KN=8).problem()
    alone, found = DefaultExplorer().explore(problem), DefaultExplorer().explore(problem, executor=pool)
    for mine, theirs in zip(alone.einsums, found.einsums, strict=True):
        for field in Rows.__attrs_attrs__:
            name = field.name
            assert (getattr(mine.rows, name) == getattr(theirs.rows, name)).all()
            assert getattr(mine.rows, name).dtype == getattr(theirs.rows, name).dtype
        assert (mine.offsets == theirs.offsets).all()


def test_large_results_can_be_given_to_later_calls(pool: Executor) -> None:
    arrays = [values for _, values in sorted(as_completed(pool, calls.made, [(1,), (2,)]), key=lambda item: item[0])]
    assert [int(values[0]) for values in arrays] == [1, 2]
    sums = dict(as_completed(pool, calls.total, [(arrays[0], 5), (arrays[1], 6)]))
    assert sums == {0: 2_000_005.0, 1: 4_000_006.0}


def test_it_says_how_many_run_at_once(pool: Executor) -> None:
    assert workers_of(pool, 8) in (1, 2)


def test_a_worker_that_is_killed_in_the_middle_loses_nothing(processes: Executor, tmp_path: Path) -> None:
    found = dict(as_completed(processes, calls.dies_once, [(str(tmp_path), n) for n in range(6)]))
    assert (tmp_path / "died").exists()
    assert found == {n: n * n for n in range(6)}


def test_a_call_that_kills_each_worker_is_an_error(processes: Executor) -> None:
    with pytest.raises(BrokenExecutor):
        list(as_completed(processes, calls.dies, [(0,), (1,)]))


def test_calls_are_made_in_other_processes_though_forking_is_not_safe(processes: Executor, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    pids = {pid for _, pid in as_completed(processes, calls.pid_after, [(str(tmp_path), n) for n in range(4)])}
    import os

    assert os.getpid() not in pids


def test_closed_early_it_can_be_used_again(processes: Executor, tmp_path: Path) -> None:
    with closing(as_completed(processes, calls.square, [(n,) for n in range(20)])) as results:
        next(results)
    (tmp_path / "go").touch()
    assert len(dict(as_completed(processes, calls.pid_after, [(str(tmp_path), n) for n in range(3)]))) == 3


@pytest.mark.parametrize("kind", ["forks", "processes"])
def test_workers_see_the_environment_as_it_is_when_they_are_started(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FFCORE_TEST_OF_WORKERS", "now")
    with plugin.get("executor", kind, n_jobs=2) as executor:
        found = dict(as_completed(executor, calls.value_of, [("FFCORE_TEST_OF_WORKERS",)] * 2))
    assert found == {0: "now", 1: "now"}


SCRIPT = """
import sys, threading
sys.path.insert(0, {root!r})
from ffcore import plugin
from ffcore.plugin import as_completed
from tests.plugin import executor_calls as calls
print("run")
threading.Thread(target=threading.Event().wait, daemon=True).start()
with plugin.get("executor", "{kind}", n_jobs=2) as pool:
    print(sorted(as_completed(pool, calls.square, [(1,), (2,), (3,)])))
    print(sorted(as_completed(pool, lambda n: n + 1, [(1,), (2,)])) if {lambdas} else "")
"""


@pytest.mark.parametrize("kind", ["forks", "processes"])
def test_a_script_with_threads_and_no_guard_is_not_run_again_by_workers(kind: str, tmp_path: Path) -> None:
    """Nor does it need one: what cannot be sent is made by threads, where the executor is the default one."""
    root = str(Path(__file__).parents[2])
    (tmp_path / "script.py").write_text(SCRIPT.format(root=root, kind=kind, lambdas=kind == "forks"))
    words = [sys.executable, str(tmp_path / "script.py")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    last = "[(0, 2), (1, 3)]" if kind == "forks" else ""
    assert (done.stdout, done.stderr) == (f"run\n[(0, 1), (1, 4), (2, 9)]\n{last}\n", "")


def test_a_forked_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    """In a process without threads, as the command line is one."""
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from ffcore import plugin
from ffcore.plugin import as_completed, may_fork
from tests.plugin import executor_calls as calls
assert may_fork()
with plugin.get("executor", "forks", n_jobs=2) as pool:
    print(sorted(as_completed(pool, calls.dies_once, [({str(tmp_path)!r}, n) for n in range(5)])))
"""
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert (done.stdout, done.stderr) == (f"{[(n, n * n) for n in range(5)]}\n", ""), time.monotonic() - begun
    assert (tmp_path / "died").exists()


@pytest.mark.parametrize("name", EXECUTORS)
def test_options_that_it_does_not_have_are_refused_with_a_suggestion(name: str) -> None:
    spec = ff.Spec.from_yaml("simple", "matmuls", N_EINSUMS=1, M=4, KN=4)
    spec.mapper.executor, spec.mapper.executor_options = name, {"scheduller": "tcp://127.0.0.1:1"}
    with pytest.raises(ff.SpecError, match=f"executor '{name}' has no option 'scheduller'") as raised:
        ff.map_workload_to_arch(spec, n_jobs=1)
    if name == "dask":
        assert raised.value.problems[0].suggestion == "scheduler"


def test_what_is_no_executor_is_refused() -> None:
    spec = ff.Spec.from_yaml("simple", "matmuls", N_EINSUMS=1, M=4, KN=4)
    with pytest.raises(ff.PluginError, match=r"must be a concurrent\.futures\.Executor"):
        ff.map_workload_to_arch(spec, executor=object())  # type: ignore[arg-type]
