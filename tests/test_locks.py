"""A folder is written by one process at a time, whatever became of those before."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ffcore.locks import LOCK, FolderInUseError, writing

HOLD = """
import os, sys, time
from pathlib import Path
from ffcore.locks import writing
with writing(Path(sys.argv[1])):
    child = os.fork() if len(sys.argv) > 2 else -1
    if child == 0:
        time.sleep(60)
    print("held", child, flush=True)
    time.sleep(60)
"""


def holder(folder: Path, *more: str) -> tuple[subprocess.Popen[str], int]:
    """A process that holds a folder, and the number of its child."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder), *more], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    word, child = process.stdout.readline().split()
    assert word == "held"
    return process, int(child)


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_the_lock_says_who_holds_it_and_goes(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    with writing(folder):
        said = json.loads((folder / LOCK).read_text())
        assert (said["process"], said["host"]) == (os.getpid(), socket.gethostname())
        with writing(folder):
            pass
        assert (folder / LOCK).exists()
    assert list(folder.iterdir()) == []


def test_a_second_process_is_refused_and_a_killed_one_counts_for_nothing(tmp_path: Path) -> None:
    process, _ = holder(tmp_path)
    said = rf"{tmp_path} is in use by process {process.pid} on {socket.gethostname()} since .*: wait until it has ended"
    with pytest.raises(FolderInUseError, match=said), writing(tmp_path):
        pass
    end(process)
    assert (tmp_path / LOCK).exists()
    with writing(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["process"] == os.getpid()
    assert not (tmp_path / LOCK).exists()


def test_a_worker_that_outlives_its_parent_holds_nothing(tmp_path: Path) -> None:
    process, child = holder(tmp_path, "fork")
    try:
        process.kill()
        process.wait()
        with writing(tmp_path):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        end(process)


def test_of_threads_that_begin_at_once_one_has_the_folder(tmp_path: Path) -> None:
    begin, leave = threading.Barrier(8), threading.Barrier(8)
    got: list[bool] = []

    def try_it() -> None:
        begin.wait()
        try:
            with writing(tmp_path):
                got.append(True)
                leave.wait()
        except FolderInUseError:
            got.append(False)
            leave.wait()

    for _ in range(5):
        got.clear()
        threads = [threading.Thread(target=try_it) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(got) == [False] * 7 + [True]


def test_another_thread_is_refused_and_does_not_take_the_lock_away(tmp_path: Path) -> None:
    refused = []

    def try_it() -> None:
        try:
            with writing(tmp_path):
                pass
        except FolderInUseError as error:
            refused.append(error)

    with writing(tmp_path):
        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
        assert len(refused) == 1
        command = [sys.executable, "-c", HOLD, str(tmp_path)]
        other = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert "FolderInUseError" in other.stderr
    with writing(tmp_path):
        pass


@pytest.mark.parametrize("content", ["", "{", '{"process": "x"}', '{"process": 0}', "\x00" * 2000])
def test_whatever_a_lock_file_holds_it_is_taken_over(tmp_path: Path, content: str) -> None:
    (tmp_path / LOCK).write_text(content)
    with writing(tmp_path):
        pass


@pytest.mark.parametrize("content", ["precious", "[]", '{"_meta": {}}'])
def test_somebody_elses_file_of_that_name_stays(tmp_path: Path, content: str) -> None:
    (tmp_path / LOCK).write_text(content)
    with pytest.raises(OSError, match="no lock of ffcore's"), writing(tmp_path):
        pass
    assert (tmp_path / LOCK).read_text() == content


def test_the_lock_of_another_is_not_removed(tmp_path: Path) -> None:
    """Somebody removed ours, and another process took the folder."""
    with writing(tmp_path):
        (tmp_path / LOCK).rename(tmp_path / "removed")
        (tmp_path / LOCK).write_text('{"process": 1}')
    assert (tmp_path / LOCK).read_text() == '{"process": 1}'


@pytest.mark.parametrize("kind", ["fifo", "folder", "link", "circle", "hard link"])
def test_what_is_no_lock_file_is_left_alone(tmp_path: Path, kind: str) -> None:
    folder, precious = tmp_path / "out", tmp_path / "precious"
    folder.mkdir()
    precious.write_text("precious")
    lock = folder / LOCK
    {
        "fifo": lambda: os.mkfifo(lock),
        "folder": lock.mkdir,
        "link": lambda: lock.symlink_to(precious),
        "circle": lambda: lock.symlink_to(lock),
        "hard link": lambda: lock.hardlink_to(precious),
    }[kind]()
    with pytest.raises(OSError, match=r"\.lock") as caught, writing(folder):
        pass
    assert caught.value.filename == str(lock)
    assert precious.read_text() == "precious"


def test_without_locks_of_the_system_process_and_host_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ffcore.locks.fcntl", None)
    for said, free in (
        ({"process": 1, "host": socket.gethostname()}, False),  # which is always there
        ({"process": 2**22 + 1, "host": socket.gethostname()}, True),  # beyond the largest number of a process
        ({"process": 2**22 + 1, "host": "elsewhere"}, False),
        ({"process": 10**30, "host": socket.gethostname()}, False),
    ):
        (tmp_path / LOCK).write_text(json.dumps(said))
        if free:
            with writing(tmp_path):
                pass
        else:
            with pytest.raises(FolderInUseError, match=f"process {said['process']} on"), writing(tmp_path):
                pass


def test_what_killed_writes_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "pmappings").mkdir()
    for name in (
        ".ffcore-abcd1234.tmp",
        ".notebook.tmp",
        "x.tmp",
        "pmappings/.ffcore-abcd1234.tmp",
        "pmappings/.ffcore-abcd5678.tmp",
    ):
        (tmp_path / name).touch()
    os.utime(tmp_path / "pmappings/.ffcore-abcd1234.tmp", (0, 0))
    with writing(tmp_path):
        pass
    assert sorted(p.name for p in tmp_path.iterdir()) == [".notebook.tmp", "pmappings", "x.tmp"]
    assert [p.name for p in (tmp_path / "pmappings").iterdir()] == [".ffcore-abcd5678.tmp"]
