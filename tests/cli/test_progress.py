"""What is told of a job, and what a person sees of it on a terminal, and nowhere else."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from ffcore.cli import progress
from ffcore.cli.progress import Watch, picture, progress_display
from ffcore.phases import phase, recording
from ffcore.plugin import Step
from tests.cli.process import ff, write_specs


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def shown(watch: Watch, width: int = 100) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(picture(watch))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_a_step_is_one_line() -> None:
    step = Step("explore", 3, 8, 120, 800, 98765, 53, note="QK: 12 Pareto-optimal")
    counts = "3 of 8 Einsums, 120 of 800 templates, 98,765 evaluated, 53 kept"
    assert str(step) == f"explore: {counts}; QK: 12 Pareto-optimal"
    assert str(Step("join", 1, 2, best=0.04974434549, unit="J·s")) == "join: 1 of 2 Einsums, best so far 0.0497443 J·s"
    assert str(Step("imports", note="numba")) == "imports: numba"
    assert str(Step("count")) == "count"
    assert str(Step("search", best=3.0)) == "search: best so far 3"


def test_the_share_that_is_done_is_that_of_the_finest_count() -> None:
    assert Step("explore", 1, 2, 1, 4).fraction == 0.25
    assert Step("join", 1, 2).fraction == 0.5
    assert Step("join").fraction is None


def test_time_left_is_estimated_from_what_was_done_since_the_work_began() -> None:
    clock = Clock()
    watch = Watch(clock=clock)

    def told(at: float, templates: int) -> float | None:
        clock.now = at
        watch(Step("explore", 0, 1, templates, 100))
        return watch.phases["explore"].left(at)

    assert told(0, 20) is None  # 20 were there before
    assert told(9, 20) is None  # loading: no pace yet
    assert told(9.5, 40) is None  # too short a time
    assert told(10, 22) is None  # counted anew: the pace is another
    assert told(12, 24) is None  # too little
    assert told(14, 48) == pytest.approx(4 * 52 / 26)
    assert told(15, 100) == 0


def test_lines_of_text_belong_to_the_phase_under_way() -> None:
    watch = Watch()
    watch(Step("explore", 8, 8))
    watch("A line")
    assert watch.phases["explore"].step == Step("explore", 8, 8, note="A line")
    with recording(), phase("join"):
        watch("simanneal: island 1 of 2, best score 3")
    assert watch.known("join") == "simanneal: island 1 of 2, best score 3"
    assert watch.known("explore") == "8 of 8 Einsums"
    assert watch.known("output") == ""


def test_the_picture_has_a_line_for_each_phase_and_one_for_what_is_under_way() -> None:
    clock = Clock()
    watch = Watch(clock=clock)
    watch(Step("explore", 0, 2, 0, 100))
    clock.now = 1
    watch(Step("explore", 1, 2, 50, 100, 1234567, note="QK: done"))
    clock.now = 61
    watch(Step("explore", 1, 2, 75, 100, 2234567, note="QK: done"))
    first, second = shown(watch)
    assert re.fullmatch(r"explore \S+ +1 of 2 Einsums, 75 of 100 templates, 2,234,567 evaluated +1:01", first)
    assert second.strip() == "about 0:20 left; QK: done"
    clock.now = 65
    watch(Step("join", 1, 2, rows=7, best=0.05, unit="J·s", note="AV"))
    clock.now = 3725
    lines = shown(watch)
    assert [line.split()[0] for line in lines] == ["explore", "join", "AV"]
    assert lines[0].endswith(" 1:05")
    assert lines[1].endswith(" 1:01:00")
    assert "1 of 2 Einsums, 7 kept, best so far 0.05 J·s" in lines[1]


def test_a_narrow_terminal_cuts_lines_off() -> None:
    watch = Watch()
    watch(Step("explore", 3, 8, 120, 800, 98765, 53))
    (line,) = shown(watch, 40)
    assert len(line) <= 40
    assert "…" in line


def test_names_of_a_file_do_not_reach_the_terminal_as_codes() -> None:
    watch = Watch()
    watch(Step("explore", note="\x1b[31mred\x07[bold]"))
    assert "?[31mred?[bold]" in "\n".join(shown(watch))


def test_pictures_are_drawn_now_and_then_and_for_each_new_phase() -> None:
    clock, drawn = Clock(), []
    watch = Watch(lambda w: drawn.append(list(w.phases)), clock=clock)
    for n in range(100):
        clock.now = n * progress._EVERY / 10 + 1e-9
        watch(Step("explore", n, 100))
    assert 9 <= len(drawn) <= 11
    watch(Step("join"))
    assert drawn[-1] == ["explore", "join"]


def test_whoever_tells_hears_of_an_interruption() -> None:
    def check() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Watch(check=check)("line")


def test_nothing_is_written_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_display() as watch:
        watch(Step("explore", 1, 2))
    assert watch.known("explore") == "1 of 2 Einsums"
    assert capsys.readouterr() == ("", "")


def on_terminal(*arguments: str | Path, **environment: str) -> tuple[int, str, str]:
    """(exit code, stdout, what the terminal got) of ``ff`` with its stderr on a terminal and its stdout in a pipe."""
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "ffcore.cli", *map(str, arguments)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=child, text=True, env={**os.environ, "TERM": "xterm", **environment}
    )
    os.close(child)
    got = b""
    try:
        while block := os.read(parent, 65536):
            got += block
    except OSError:  # how the end of a terminal is told
        pass
    os.close(parent)
    stdout, _ = process.communicate(timeout=60)
    return process.returncode, stdout, got.decode()


def test_progress_is_on_the_terminal_and_stdout_is_clean(tmp_path: Path) -> None:
    words = ["map", *write_specs(tmp_path), "--set", "M=4", "--jobs", "2", "--format", "json"]
    code, stdout, terminal = on_terminal(*words)
    assert code == 0
    assert "\x1b" not in stdout
    assert re.search(r"explore.*2 of 2 Einsums", terminal)
    assert re.search(r"join.*2 of 2 Einsums", terminal)
    assert "Traceback" not in terminal
    assert terminal.endswith("\x1b[2K")  # the last that was drawn is wiped away


def test_no_codes_on_a_dumb_terminal_nor_in_pipes(tmp_path: Path) -> None:
    exhaustive = ["--explorer", "exhaustive", "--joiner", "exhaustive"]
    words = ["map", *write_specs(tmp_path), "--set", "M=4", *exhaustive, "--format", "json"]
    code, stdout, terminal = on_terminal(*words, TERM="dumb")
    assert (code, terminal) == (0, "")
    assert "\x1b" not in stdout
    piped = ff(*words, FORCE_COLOR="1", TERM="xterm-256color")
    assert (piped.returncode, piped.stderr) == (0, "")
    assert "\x1b" not in piped.stdout
