"""Runs mutants one after the other in this process, and says of each how it ended."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import io
import json
import os
import resource
import shutil
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.fuzz.cases import Case, Seeds, make
from tests.fuzz.outcome import DEFECT, Outcome, classify

MEMORY = 3 * 10**9  # bytes of address space
SECONDS = 20  # of processor time for one mutant; then the process ends, with a traceback


def limit() -> None:
    """Set the limits of this process."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (500 * 10**6, 500 * 10**6))


def run_one(number: int, case: Case, folder: Path, seeds: Seeds) -> Outcome:
    """Run a case in its folder; nothing may be written elsewhere, and no code of it runs."""
    before = set(os.listdir(folder))
    started = time.process_time()
    with contextlib.chdir(folder), _distributions(folder) if case.metadata else contextlib.nullcontext():
        code, out, err = invoke(case.words)
    outcome = classify(case, code, out, err, set(os.listdir(folder)) - before, seeds, folder)
    outcome.number, outcome.seconds = number, time.process_time() - started
    return outcome


def invoke(words: list[str]) -> tuple[int, str, str]:
    """Exit code, output and messages of ``ff`` with these words; what escapes is 255 with its traceback."""
    from tests.cli.process import command

    out, err = _Stream(), _Stream()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
        code: Any
        try:
            command().main(words, prog_name="ff", standalone_mode=True)
            code = 0
        except SystemExit as end:
            code = end.code
        except BaseException:
            import traceback

            err.write(traceback.format_exc())
            code = 255
    return code if isinstance(code, int) else 0 if code is None else 1, out.text(), err.text()


class _Stream(io.TextIOWrapper):
    """Text in memory, as strict as a terminal about what can be written."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def text(self) -> str:
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode()


@contextlib.contextmanager
def _deep() -> Iterator[None]:
    """Mutants may be nested deeply; what reads them has the usual limit."""
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(50_000)
    try:
        yield
    finally:
        sys.setrecursionlimit(usual)


@contextlib.contextmanager
def _distributions(folder: Path) -> Iterator[None]:
    """A folder of distributions is among those where plugins are looked for; what is installed is not read again."""
    from ffcore.plugin import manager

    def forget() -> None:
        importlib.invalidate_caches()
        sys.modules.pop("acme_plugin", None)

    usual = manager.scan, manager._manager_without
    sys.path.append(str(folder))
    forget()
    manager.scan, manager._manager_without = (cache(each.__wrapped__) for each in usual)
    try:
        yield
    finally:
        manager.scan, manager._manager_without = usual
        sys.path.remove(str(folder))
        forget()


def main() -> None:
    """``child WORK SEEDS KINDS``: numbers come on stdin, a line of JSON goes out for each; the defects' files stay."""
    work, seeds_file, kinds = Path(sys.argv[1]), Path(sys.argv[2]), tuple(filter(None, sys.argv[3].split(",")))
    data = json.loads(seeds_file.read_text())
    results, points = (tuple(map(tuple, data[name])) for name in ("results", "points"))
    seeds = Seeds(Path(data["run"]), Path(data["sweep"]), results, points)
    limit()
    answers = os.fdopen(os.dup(1), "w", buffering=1)  # what a command prints by other ways is no answer
    os.dup2(2, 1)
    faulthandler.enable()
    faulthandler.register(signal.SIGVTALRM, chain=True)
    gc.freeze()  # what is imported stays, and need not be gone through again and again
    gc.set_threshold(20_000, 20, 20)
    answers.write("ready\n")
    for line in sys.stdin:
        number = int(line)
        folder = work / str(number)
        folder.mkdir(parents=True)
        signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
        with _deep():
            case = make(number, folder, seeds, kinds)
        (work / f"{number}.json").write_text(json.dumps({"kind": case.kind, "words": case.words}))
        outcome = run_one(number, case, folder, seeds)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        if outcome.name != DEFECT:
            shutil.rmtree(folder)
            (work / f"{number}.json").unlink()
        answers.write(json.dumps(outcome.as_data()) + "\n")


if __name__ == "__main__":
    main()
