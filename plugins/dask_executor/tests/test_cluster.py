"""On a real cluster: a scheduler and workers that come, are killed, differ, and go."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

import ffcore
from ffcore import plugin
from ffcore.errors import ExecutorError, FFError, PluginError
from ffcore.plugin import as_completed
from ffcore.plugin.executors import threads_of
from ffcore_dask_executor.same import check_found, difference, own_versions
from ffcore_dask_executor.task import Call, make
from plugins.dask_executor.tests.cluster import Cluster, ff, wait_for
from plugins.dask_executor.tests.cluster import no_thread_stays as no_thread_stays
from tests.cli.process import ff_here
from tests.plugin import executor_calls as calls

SPEC = ("simple", "matmuls", "--set", "N_EINSUMS=2", "--set", "M=8", "--set", "KN=8")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One worker."""
    with Cluster(tmp_path_factory.mktemp("cluster") / "scheduler.json") as started:
        started.worker()
        yield started


@pytest.fixture
def pool(cluster: Cluster) -> Iterator[Any]:
    with plugin.get("executor", "dask", n_jobs=1, scheduler_file=str(cluster.file)) as executor:
        yield executor


def test_the_users_own_client_is_used_and_left_open(cluster: Cluster) -> None:
    from distributed import Client

    spec = ffcore.Spec.from_yaml("simple", "matmuls", N_EINSUMS=2, M=8, KN=8)
    vary = {"arch.nodes.GlobalBuffer.size": ["1 KiB", "64 KiB"]}
    alone = ffcore.sweep(spec, vary, n_jobs=1)
    with Client(scheduler_file=str(cluster.file), set_as_default=False) as client:
        found = ffcore.sweep(spec, vary, executor=client)
        assert client.status == "running"
        assert client.submit(pow, 2, 3).result() == 8
    assert [p.numbers for p in found] == [p.numbers for p in alone]


def test_what_is_large_does_not_come_by_way_of_the_scheduler(pool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: object, **__: object) -> None:
        raise AssertionError("asked the scheduler")

    monkeypatch.setattr(pool._client.scheduler, "gather", refused)
    arrays = dict(as_completed(pool, calls.made, [(1,), (2,)]))
    there = dict(pool._there)
    assert len(there) == 2
    mine = arrays[0] + 1  # made here
    sums = dict(as_completed(pool, calls.total, [(arrays[0], 0), (arrays[1], 0), (mine, 0)]))
    assert sums == {0: 2e6, 1: 4e6, 2: 4e6}
    assert {id(arrays[0]), id(arrays[1]), id(mine)} == {*pool._there}
    assert all(pool._there[k] is there[k] for k in there)  # they were not sent again
    del arrays
    assert {*pool._there} == {id(mine)}


def test_a_call_that_runs_is_told_when_nobody_waits_any_more(pool: Any, tmp_path: Path) -> None:
    what = calls.Stoppable(str(tmp_path))
    running = as_completed(pool, calls.until_stopped, [(what, 0)], lambda: _enough(tmp_path / "begun0"))
    with pytest.raises(StopAsyncIteration), closing(running):
        next(running)
    wait_for((tmp_path / "stopped0").exists)


def _enough(begun: Path) -> None:
    if begun.exists():
        raise StopAsyncIteration


def test_a_call_uses_no_more_threads_than_its_worker_has(pool: Any) -> None:
    assert pool.n_jobs == pool.threads == 1
    assert threads_of(pool, 1) == 1


def test_a_worker_that_comes_later_takes_part(cluster: Cluster, pool: Any, tmp_path: Path) -> None:
    found = as_completed(pool, calls.pid_after, [(str(tmp_path), n) for n in range(12)], lambda: _go(pool, tmp_path))
    cluster.worker()
    assert len({pid for _, pid in found}) == 2
    cluster.workers.pop().kill()


def _go(pool: Any, folder: Path) -> None:
    if pool.n_jobs == 2:
        (folder / "go").touch()


@pytest.mark.slow
def test_two_clients_share_a_cache_folder(cluster: Cluster, tmp_path: Path) -> None:
    words = [*SPEC, "--executor", "dask", "--executor-option", f"scheduler_file={cluster.file}", "--format", "json"]
    both = [ff("map", *words, "--cache", tmp_path / "cache") for _ in range(2)]
    results = [process.communicate(timeout=100) for process in both]
    assert [process.returncode for process in both] == [0, 0], results
    alone = ff_here("map", *SPEC, "--jobs", "1", "--format", "json")
    assert [_mappings(out) for out, _ in results] == [_mappings(alone.stdout)] * 2


def _mappings(text: str) -> Any:
    return json.loads(text)["mappings"]


SWEEP = (
    *SPEC,
    "--vary",
    "mapper.ffm.max_fused_loops=0,1,2",
    "--vary",
    "arch.nodes.GlobalBuffer.size=1KiB,2KiB,4KiB,8KiB",
)


@pytest.mark.slow
def test_without_its_scheduler_a_sweep_ends_and_goes_on_elsewhere(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Cluster(tmp_path / "scheduler.json") as cluster:
        cluster.worker()
        options = ["--executor", "dask", "--executor-option", f"scheduler_file={cluster.file}"]
        running = ff("sweep", *SWEEP, "--out", out, *options)
        wait_for(lambda: list((out / "points").glob("*.json")) or running.poll() is not None)
        cluster.scheduler.kill()
        stdout, stderr = running.communicate(timeout=100)
    assert (running.returncode, stdout) == (3, ""), stderr
    (said,) = stderr.splitlines()
    assert said.startswith("the Dask scheduler at tcp://127.0.0.1:")
    assert said.endswith("is gone; with a folder (--out), --resume goes on")
    assert len(list((out / "points").glob("*.json"))) < 12
    on = ff_here("sweep", "--resume", out, "--executor", "serial", "--format", "csv")
    alone = ff_here("sweep", *SWEEP, "--out", tmp_path / "alone", "--jobs", "1", "--format", "csv")
    assert (on.returncode, alone.returncode) == (0, 0), (on, alone)
    assert on.stdout == alone.stdout


@pytest.mark.slow
def test_a_run_goes_on_with_other_workers(cluster: Cluster, tmp_path: Path) -> None:
    first = ff("map", *SPEC, "--out", tmp_path, "--executor", "dask", "--executor-option", "scheduler=tcp://127.0.0.1:1",
               "--executor-option", "timeout=0.5")  # fmt: skip
    _, stderr = first.communicate(timeout=100)
    assert (first.returncode, len(stderr.splitlines())) == (3, 1), stderr
    assert "no Dask scheduler answers at tcp://127.0.0.1:1" in stderr
    again = ff("map", "--resume", tmp_path, "--executor", "dask", "--executor-option", f"scheduler_file={cluster.file}")
    assert again.communicate(timeout=100)[1] == ""
    assert again.returncode == 0
    known = json.loads((tmp_path / "run.json").read_text())["parameters"]
    assert known["executor_options"] == {"scheduler_file": str(cluster.file)}
    assert ff_here("map", "--resume", tmp_path, "--executor", "serial").returncode == 0


def test_a_spec_file_does_not_say_who_may_run_code_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.yaml"
    own.write_text('mapper: {executor: dask, executor_options: {scheduler: "tcp://127.0.0.1:1", timeout: 0.2}}\n')
    spec = ffcore.Spec.from_yaml("simple", "matmuls", str(own), N_EINSUMS=1, M=4, KN=4)
    with pytest.raises(ffcore.SpecError, match=r"own\.yaml:1: .*may not set 'scheduler' of .*'dask'"):
        ffcore.map_workload_to_arch(spec)
    monkeypatch.setenv("FFCORE_TRUSTED_EXECUTORS", "dask")
    with pytest.raises(ExecutorError, match="no Dask scheduler answers at tcp://127.0.0.1:1"):  # noqa: RUF043
        ffcore.map_workload_to_arch(spec)
    monkeypatch.delenv("FFCORE_TRUSTED_EXECUTORS")
    spec.mapper.executor_options = {"scheduler": "tcp://127.0.0.1:1", "timeout": 0.2}  # by whoever runs this
    with pytest.raises(ExecutorError):
        ffcore.map_workload_to_arch(spec)
    own.write_text("mapper: {executor: dask, executor_options: {timeout: 0}}\n")
    spec = ffcore.Spec.from_yaml("simple", "matmuls", str(own), N_EINSUMS=1, M=4, KN=4)
    with pytest.raises(FFError, match="must be seconds above 0"):  # what is harmless is as the file says
        ffcore.map_workload_to_arch(spec)


def test_workers_with_other_packages_are_refused(tmp_path: Path) -> None:
    with Cluster(tmp_path / "scheduler.json") as cluster:
        cluster.worker({"FFCORE_DISABLE_PLUGINS": "ffcore-scaffold"})
        with pytest.raises(
            PluginError, match=r"Dask worker at tcp://.*ffcore-scaffold is missing there and 0\.2\.0 here"
        ):
            plugin.get("executor", "dask", n_jobs=1, scheduler_file=str(cluster.file))


def test_how_packages_differ_is_one_sentence() -> None:
    theirs = (("ffcore", "0.1.0"), *own_versions()[1:])
    assert difference(own_versions(), own_versions(), "x") == ""
    said = (
        f"x has other packages than this process: ffcore is 0.1.0 there and {ffcore.__version__} here; install the same"
    )
    assert difference(own_versions(), theirs, "x").startswith(said)
    with pytest.raises(PluginError, match=r"scheduler cannot run ffcore with its plugins .No module named 'ffcore'.;"):
        check_found({"scheduler": ModuleNotFoundError("No module named 'ffcore'")})
    with pytest.raises(PluginError, match=r"Dask worker at .*ffcore is"):  # one that came after the check
        make(Call(pow, (2, 3), (), theirs))
    assert make(Call(pow, (2, None), (1,), own_versions()), 3) == 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": 0}, "timeout of the executor 'dask' must be seconds above 0"),
        ({"timeout": "soon"}, "timeout of the executor 'dask' must be seconds above 0"),
        ({"direct": "yes"}, "direct of the executor 'dask' must be true or false"),
        ({"scheduler": "tcp://127.0.0.1:1", "scheduler_file": "x"}, "one of the options scheduler and scheduler_file"),
        (
            {"scheduler_file": "nowhere.json"},
            "scheduler_file of the executor 'dask' names 'nowhere.json', which is no file",
        ),
        ({"tls_cert": "a.pem"}, "tls_ca_file, tls_key is missing"),
        ({"scheduler": "udp://127.0.0.1:1"}, "cannot use the scheduler udp://127.0.0.1:1"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(FFError, match=message):
        plugin.get("executor", "dask", n_jobs=1, **options)


def test_a_scheduler_without_workers_is_told(tmp_path: Path) -> None:
    told = pytest.raises(ExecutorError, match=r"no workers after 0\.5 s")
    with Cluster(tmp_path / "scheduler.json") as cluster, told:
        plugin.get("executor", "dask", n_jobs=1, scheduler_file=str(cluster.file), timeout=0.5)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes certificates with openssl")
@pytest.mark.slow
def test_tls(tmp_path: Path) -> None:
    key, cert = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem")
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2"]
    subprocess.run([*words, "-subj", "/CN=127.0.0.1"], check=True, capture_output=True)
    tls = ["--tls-ca-file", cert, "--tls-cert", cert, "--tls-key", key, "--protocol", "tls"]
    with Cluster(tmp_path / "scheduler.json", tls) as cluster:
        cluster.worker()
        with pytest.raises(FFError):  # who shows no certificate is refused
            plugin.get("executor", "dask", n_jobs=1, scheduler_file=str(cluster.file), timeout=1)
        options = {"tls_ca_file": cert, "tls_cert": cert, "tls_key": key}
        with plugin.get("executor", "dask", n_jobs=1, scheduler_file=str(cluster.file), **options) as pool:
            assert dict(as_completed(pool, calls.square, [(3,), (4,)])) == {0: 9, 1: 16}


def test_a_local_cluster_is_closed_to_who_has_not_its_certificates() -> None:
    """Each port of it that takes orders; whoever else is on this machine can open them."""
    from distributed import Client, Security

    with plugin.get("executor", "dask", n_jobs=1) as executor:
        assert executor.submit(pow, 2, 3).result() == 8
        info = executor._client.scheduler_info()
        addresses = [
            executor._client.scheduler.address,
            *info["workers"],
            *(w["nanny"] for w in info["workers"].values()),
        ]
        assert all(address.startswith("tls://127.0.0.1:") for address in addresses)
        # Pages of Dask's, which need no certificate, say nothing of what runs here.
        pages = [info["services"]["dashboard"], *(w["services"]["dashboard"] for w in info["workers"].values())]
        for port in pages:
            for page in ("json/identity.json", "info/main/workers.html", "metrics", "status"):
                with pytest.raises(HTTPError, match="404"):
                    urlopen(f"http://127.0.0.1:{port}/{page}", timeout=10)
        address = addresses[0].removeprefix("tls://")
        for attempt, security in ((f"tcp://{address}", None), (f"tls://{address}", Security.temporary())):
            with pytest.raises(OSError, match=r"."):
                Client(attempt, security=security, timeout=3, set_as_default=False)
