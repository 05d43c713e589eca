"""Files appear whole, with the permissions of any file, and under names that lead nowhere else."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest

from ffcore.files import (
    check_file,
    csv_cell,
    file_name,
    read_regular,
    replacing,
    write_all,
    write_atomically,
    write_file,
)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomically(path, "before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space") as caught:
        write_atomically(path, "after")
    assert caught.value.filename == str(path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_to_its_end_leaves_nothing(tmp_path: Path) -> None:
    def fails() -> None:
        with replacing(tmp_path / "file") as file:
            file.write(b"half")
            raise ValueError("of somebody else")

    with pytest.raises(ValueError, match="of somebody else"):
        fails()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match="No such file") as caught:
        write_atomically(tmp_path / "no" / "file", "")
    assert caught.value.filename == str(tmp_path / "no" / "file")


def test_files_are_as_public_as_others_and_replace_links(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("somebody's")
    (tmp_path / "file").symlink_to(tmp_path / "target")
    mask = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", b"ours")
    finally:
        os.umask(mask)
    assert (tmp_path / "file").lstat().st_mode & 0o7777 == 0o640
    assert (tmp_path / "file").read_text() == "ours"
    assert (tmp_path / "target").read_text() == "somebody's"


def test_writing_leaves_the_umask_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for it changes it, and another thread then takes that for the process's own."""
    monkeypatch.setattr(os, "umask", lambda _: pytest.fail("changed"))
    write_atomically(tmp_path / "file", b"")


def test_nothing_endless_is_read(tmp_path: Path) -> None:
    with open(tmp_path / "file", "wb") as file:
        file.truncate(2**30 + 1)  # a hole, which takes no room on the disk
    with pytest.raises(OSError, match="is larger than 1,024 MiB"):
        read_regular(tmp_path / "file")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Matmul_0.a-B", "Matmul_0.a-B"),
        ("/tmp/x/e", "_tmp_x_e"),
        ("../../e", "_.._e"),
        ("a\0b é", "a_b__"),
        ("x" * 300, "x" * 60),
        ("...", "_"),
        ("", "_"),
    ],
)
def test_file_names_are_plain(text: str, name: str) -> None:
    assert file_name(text) == name


def test_cells_are_no_formulas() -> None:
    assert [csv_cell(text) for text in ("=cmd", "@x", "\tx", "a=b", "")] == ["'=cmd", "'@x", "'\tx", "a=b", ""]


def test_all_files_are_written_or_none(tmp_path: Path) -> None:
    assert write_all(tmp_path, {"a": "1", "b": b"2"}) == [tmp_path / "a", tmp_path / "b"]
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(OSError, match=str(tmp_path / "b")):
            write_all(tmp_path, {"a": "3", "b": "4" * 2000, "c": "5"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="is a folder"):
        write_all(tmp_path, {"a": "3", "folder": "4"})
    assert {p.name: p.read_text() for p in tmp_path.iterdir() if p.is_file()} == {"a": "1", "b": "2"}


def test_a_file_that_a_user_names(tmp_path: Path) -> None:
    """Links are replaced, devices and pipes written to, and a pipe that nobody reads is no reason to wait."""
    (tmp_path / "other").write_text("kept")
    (tmp_path / "link").symlink_to("other")
    os.mkfifo(tmp_path / "pipe")
    write_file(tmp_path / "link", "new")
    assert ((tmp_path / "link").read_text(), (tmp_path / "other").read_text()) == ("new", "kept")
    write_file(Path(os.devnull), "gone")
    assert not Path(os.devnull).is_file()
    check_file(tmp_path / "pipe")
    with pytest.raises(OSError, match="pipe"):
        write_file(tmp_path / "pipe", "x")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_file(tmp_path / "pipe", "x")
    assert os.read(reader, 9) == b"x"
    os.close(reader)
    check_file(tmp_path / "new" / "file")
    assert list((tmp_path / "new").iterdir()) == []
    with pytest.raises(OSError, match="is a folder"):
        check_file(tmp_path / "new")


def test_a_link_to_what_this_process_has_open_is_written_into(tmp_path: Path) -> None:
    """As ``/dev/stdout`` is where stdout goes to a file."""
    link = tmp_path / "stdout"
    with (tmp_path / "redirected").open("wb", buffering=0) as file:
        file.write(b"before, ")
        link.symlink_to(f"/proc/self/fd/{file.fileno()}")
        write_file(link, "then ")
        file.write(b"after")
    assert link.is_symlink()
    assert (tmp_path / "redirected").read_text() == "before, then after"
