"""Real processes: exit codes, each stream for its own, JSON that parses, no colours where nobody looks."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from ffcore.cli.main import app
from tests.cli.process import ff, ff_here, write_specs
from tests.cli.test_render import MAPPING

COLOURFUL = {"TERM": "xterm-256color", "FORCE_COLOR": "1", "CLICOLOR_FORCE": "1", "COLUMNS": "40"}
EXHAUSTIVE = ["--explorer", "exhaustive", "--joiner", "exhaustive"]


@pytest.fixture(autouse=True)
def _nothing_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures and reports have tests of their own."""
    monkeypatch.setenv("FFCORE_DISABLE_PLUGINS", "ffcore-graphviz-render,ffcore-html-report")


ELSEWHERE = {"compare", "explain", "sweep", "report"}  # commands whose tests stand with their own


def files(folder: Path) -> dict[str, str]:
    arch, workload = write_specs(folder)
    (folder / "mapping.yaml").write_text(MAPPING)
    return {"arch": str(arch), "workload": str(workload), "mapping": str(folder / "mapping.yaml")}


OUTCOMES = {
    "mapped": (["map", "{arch}", "{workload}", "--set", "M=4", *EXHAUSTIVE], 0),
    "no mapping": (["map", "{arch}", "{workload}", "--set", "M=4", "--set", "SIZE=1", *EXHAUSTIVE,
                    "--spec", "arch.nodes.MainMemory.tensors.may_keep=Nothing"], 1),
    "evaluated": (["evaluate", "{arch}", "{workload}", "{mapping}", "--set", "M=4"], 0),
    "does not fit": (["evaluate", "{arch}", "{workload}", "{mapping}", "--set", "M=4", "--set", "SIZE=1"], 1),
    "valid": (["validate", "{arch}", "{workload}", "--set", "M=4"], 0),
    "not valid": (["validate", "{arch}", "{workload}"], 2),
    "shown": (["render", "mapping", "{mapping}"], 0),
    "nothing to show": (["render", "arch", "{mapping}"], 2),
    "listed": (["plugins"], 0),
    "named": (["list", "workloads"], 0),
    "bad name": (["new-plugin", "Bad Name", "arch"], 2),
    "usage": (["map"], 2),
    "misspelt": (["mpa"], 2),
}  # fmt: skip


PROCESSES = ("mapped", "not valid")  # the others, to be quick, in here


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_exit_code_one_stream_and_no_colours(outcome: str, tmp_path: Path) -> None:
    words, code = OUTCOMES[outcome]
    arguments = [a.format(**files(tmp_path)) if "{" in a else a for a in words]
    done = ff(*arguments, cwd=tmp_path, **COLOURFUL) if outcome in PROCESSES else ff_here(*arguments)
    assert done.returncode == code, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if code == 0:
        assert done.stdout
        assert done.stderr == ""
    else:
        assert done.stdout == ""
        assert done.stderr


JSON = {
    "map": ["{arch}", "{workload}", "--set", "M=4", *EXHAUSTIVE],
    "evaluate": ["{arch}", "{workload}", "{mapping}", "--set", "M=4"],
    "validate": ["{arch}", "{workload}", "--set", "M=4"],
    "list": ["arches"],
    "plugins": [],
}


def commands() -> dict[str, Any]:
    return dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", JSON)
def test_json_parses(command: str, tmp_path: Path) -> None:
    done = ff_here(command, *(a.format(**files(tmp_path)) for a in JSON[command]), "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    assert json.loads(done.stdout, parse_constant=refuse)


def test_every_command_with_json_is_tested() -> None:
    with_json = {name for name in commands() if re.search(r"--format \S*json", ff_here(name, "-h").stdout)}
    assert with_json >= set(JSON)
    assert with_json <= set(JSON) | ELSEWHERE


def test_nothing_at_all_shows_the_help() -> None:
    done = ff()
    assert done.returncode == 2
    assert "Commands:" in done.stdout + done.stderr


def test_misspelt_commands_and_options_get_a_suggestion() -> None:
    assert "Did you mean 'map'" in ff_here("mpa").stderr
    assert "workload" in ff_here("render", "workloat").stderr
    assert "--jobs" in ff_here("map", "simple", "--job", "2").stderr


def test_every_command_has_help() -> None:
    for name, command in commands().items():
        for words in ([name], *([name, inner] for inner in getattr(command, "commands", {}))):
            for option in ("-h", "--help"):
                done = ff_here(*words, option)
                assert (done.returncode, done.stderr) == (0, "")
                assert done.stdout.startswith("Usage: ")
