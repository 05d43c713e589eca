"""Memory, disk, files and workers run out: one sentence, exit code 1, and `--resume` ends with the same answer."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.process import ff_here
from tests.examples import first_few
from tests.faults.running import JOB, answer, inputs, limited, points, started, under


def one_sentence(done: subprocess.CompletedProcess[str], code: int = 1) -> str:
    assert done.returncode == code, done.stderr
    lines = [
        line for line in done.stderr.strip().splitlines() if not line.startswith("<jemalloc>")
    ]  # arrow's, of memory
    assert len(lines) == 1, done.stderr
    assert "internal error" not in done.stderr
    return lines[0]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    done = ff_here("map", *inputs(folder), *JOB, "--out", folder / "out")
    assert done.returncode == 0, done.stderr
    return folder / "out"


@pytest.mark.parametrize(
    "megabytes", [pytest.param(n, marks=() if n == 500 else pytest.mark.slow) for n in (300, 400, 500, 600, 700, 800)]
)
def test_memory(megabytes: int, tmp_path: Path, whole: Path) -> None:
    """Whatever cannot be loaded or allocated. (Below that OpenBLAS itself gives up.)"""
    files = inputs(tmp_path)
    done = under(["map", *files, *JOB, "--out", tmp_path / "out"], limited(resource.RLIMIT_AS, megabytes * 2**20))
    if done.returncode:
        assert "memory ran out" in one_sentence(done)
    again = ff_here("map", *files, *JOB, "--out", tmp_path / "out")
    assert again.returncode == 0, again.stderr
    assert answer(tmp_path / "out") == answer(whole)


@pytest.mark.parametrize(
    "most", [pytest.param(n, marks=() if n == 4000 else pytest.mark.slow) for n in (0, 100, 4000, 20_000, 60_000)]
)
def test_disk(most: int, tmp_path: Path, whole: Path) -> None:
    files, out = inputs(tmp_path), tmp_path / "out"
    done = under(["map", *files, *JOB, "--out", out], limited(resource.RLIMIT_FSIZE, most))
    said = one_sentence(done)
    assert said.startswith(str(out))
    assert "File too large; raise the limit of a file's size (ulimit -f)" in said
    assert not list(out.rglob("*.tmp"))
    begun = (out / "run.json").exists()
    resumed = ff_here("map", "--resume", out) if begun else ff_here("map", *files, *JOB, "--out", out)
    assert resumed.returncode == 0, resumed.stderr
    assert answer(out) == answer(whole)


@pytest.mark.slow
@pytest.mark.parametrize("most", [0, 1000, 3000, 9000])
def test_disk_of_a_sweep(most: int, tmp_path: Path) -> None:
    words = ["sweep", *inputs(tmp_path), "--vary", "arch.nodes.Buffer.size=100,150,200", "--jobs", "1"]
    done = ff_here(*words, "--out", tmp_path / "whole")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    assert "File too large" in one_sentence(under([*words, "--out", out], limited(resource.RLIMIT_FSIZE, most)))
    resumed = ff_here("sweep", "--resume", out) if (out / "sweep.json").exists() else ff_here(*words, "--out", out)
    assert resumed.returncode == 0, resumed.stderr
    assert points(out) == points(tmp_path / "whole")


@pytest.mark.parametrize("most", [8, pytest.param(6, marks=pytest.mark.slow), pytest.param(12, marks=pytest.mark.slow)])
def test_open_files(most: int, tmp_path: Path) -> None:
    words = ["map", *inputs(tmp_path), "--jobs", "2", "--out", tmp_path / "out"]
    done = under(words, limited(resource.RLIMIT_NOFILE, most))
    assert "raise the number of open files (ulimit -n)" in one_sentence(done)
    assert ff_here("map", *words[1:3], *JOB, "--out", tmp_path / "out").returncode == 0


@pytest.mark.parametrize("how", first_few(["full", "nowhere", "damaged"], 1))
def test_cache_of_kernels(how: str, tmp_path: Path) -> None:
    """Kernels are compiled again; nothing is said of it."""
    cache = tmp_path / "kernels"
    environment = {**os.environ, "NUMBA_CACHE_DIR": "/proc/nowhere" if how == "nowhere" else str(cache)}
    script = (
        "import numba; from ffcore.kernel import kernel\n"
        "@kernel\n"
        "def twice(x):\n"
        "    return 2 * x\n"
        "print(twice(21), twice.stats.cache_hits)\n"
    )
    file = tmp_path / "kernels_of_mine.py"
    file.write_text(script)

    def run(limit: int | None = None) -> str:
        done = subprocess.run(
            [sys.executable, str(file)],
            capture_output=True,
            text=True,
            timeout=120,
            env=environment,
            preexec_fn=limited(resource.RLIMIT_FSIZE, limit) if limit is not None else None,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.strip()

    if how == "full":
        assert run(10) == "42 Counter()"
        return
    run()
    if how == "damaged":
        for index in cache.rglob("*.nbi"):
            index.write_bytes(index.read_bytes()[:50])
        assert run() == "42 Counter()"
        assert run().startswith("42 Counter({")  # repaired


def test_killed_workers() -> None:
    """One is replaced (see the contract tests of executors); when all die, whatever they are at, it is said."""
    process = started(["map", "tpu_v4i_like", "gpt3_6.7B", "--jobs", "2", "--max-fused-loops", "1"])
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        while process.poll() is None:
            with contextlib.suppress(OSError):  # the process or a worker has just ended
                for worker in children.read_text().split():
                    os.kill(int(worker), signal.SIGKILL)
            time.sleep(0.01)
        _, err = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 1, err
    said = "a worker process ended unexpectedly, most likely because memory ran out; try again with one job"
    assert [line for line in err.splitlines() if said in line], err
    assert "Traceback" not in err


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    files = inputs(tmp_path)
    folder = tmp_path / "theirs"
    folder.mkdir()
    if os.getuid() == 0:  # whom no mode stops: a folder below a file does
        (folder / "out").write_text("")
        done = ff_here("map", *files, *JOB, "--out", folder / "out" / "deeper")
        said = "Not a directory"
    else:
        folder.chmod(0o500)
        done = ff_here("map", *files, *JOB, "--out", folder / "out")
        said = "Permission denied"
    assert one_sentence(done, 2).endswith(said)


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount a small file system")
def test_a_small_file_system(tmp_path: Path, whole: Path) -> None:
    files, small = inputs(tmp_path), tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        done = ff_here("map", *files, *JOB, "--out", small / "out")
        assert "No space left on device; make room on it" in one_sentence(done)
        subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
        assert ff_here("map", "--resume", small / "out").returncode == 0
        assert answer(small / "out") == answer(whole)
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)
