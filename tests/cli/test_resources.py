"""What is said where something runs out, whatever error it came up as."""

from __future__ import annotations

import errno

import pytest

from ffcore.cli.guard import BAD_INPUT, INTERNAL_ERROR, NO_VALID_MAPPING, classified
from ffcore.cli.resources import resource_end


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [MemoryError(), OSError(errno.ENOMEM, "Cannot allocate memory"), caused(RuntimeError("x"), MemoryError())],
)
def test_memory(error: Exception) -> None:
    said, code = classified(error)
    assert said.startswith("memory ran out while mapping")
    assert code == NO_VALID_MAPPING


@pytest.mark.parametrize("error", [SystemError("?"), ImportError("cannot load"), OSError("no shared object")])
def test_strange_errors_mean_memory_only_where_there_is_none_left(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert classified(error)[1] == INTERNAL_ERROR
    monkeypatch.setattr("ffcore.cli.resources._addresses_left", lambda: 1e6)
    assert classified(error)[1] == NO_VALID_MAPPING


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.EIO])
def test_disk_and_files(number: int) -> None:
    said, code = classified(OSError(number, "It is full", "a/b"))
    assert said.startswith("a/b: It is full; ")
    assert said.endswith(", then give the same command again")
    assert code == NO_VALID_MAPPING
    assert str(resource_end(OSError(number, "It is full"))).startswith("It is full; ")


def test_threads() -> None:
    assert classified(RuntimeError("can't start new thread"))[1] == NO_VALID_MAPPING
    assert classified(RuntimeError("something else"))[1] == INTERNAL_ERROR


def test_what_is_merely_not_there_is_bad_input() -> None:
    assert classified(PermissionError(errno.EACCES, "Permission denied", "a"))[1] == BAD_INPUT
    assert resource_end(FileNotFoundError(errno.ENOENT, "No such file", "a")) is None
