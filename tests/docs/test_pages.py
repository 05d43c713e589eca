"""README and docs are true: files load, commands print what is shown, Python runs, links lead somewhere.

Blocks of one page share a folder, in which titled blocks are files. A last line ``…`` leaves the rest to be seen.
Of ``ff map`` the table is compared, since among equally good mappings another one may be drawn.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from ffcore.spec import Spec, docs
from ffcore.spec.fields import SpecNode, spec_fields
from tests.cli.process import ff_here

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *("README.md", "docs/spec.md", "docs/python.md", "docs/performance.md", "docs/baselines.md"),
    "docs/howto/long-runs.md",
]
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@attrs.frozen
class Block:
    page: str
    language: str
    title: str
    text: str


def blocks(page: str) -> list[Block]:
    text = (ROOT / page).read_text()
    return [Block(page, m[1], m[2] or "", m[3]) for m in BLOCK.finditer(text)]


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A page whose titled blocks are files of the current folder."""
    for block in blocks(request.param):
        if block.title:
            (tmp_path / block.title).write_text(block.text)
    monkeypatch.chdir(tmp_path)
    return str(request.param)


def sessions(text: str) -> list[tuple[str, str]]:
    """(command, output) of a ``console`` block."""
    parts = re.split(r"^\$ (.*)\n", text, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def shown(command: list[str], output: str) -> list[str]:
    if command[:2] == ["ff", "map"]:
        output = output.split("\n\n")[0]
    return [line.rstrip() for line in output.splitlines()]


def test_commands_print_what_the_page_shows(page: str) -> None:
    for block in blocks(page):
        if block.language != "console":
            continue
        for command, expected in sessions(block.text):
            words = shlex.split(command)
            assert words[0] == "ff"
            done = ff_here(*words[1:])
            lines = shown(words, expected)
            got = shown(words, done.stdout + done.stderr)
            if lines[-1].strip() == "…":
                lines.pop()
                got = got[: len(lines)]
            assert got == lines, command


def test_python_runs(page: str, tmp_path: Path) -> None:
    text = "\n".join(block.text for block in blocks(page) if block.language == "python")
    done = subprocess.run([sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_yaml_that_is_no_file_of_a_command_loads(page: str) -> None:
    for block in blocks(page):
        if block.language == "yaml" and not block.title:
            Spec.from_string(block.text)


def test_targets_of_make_exist(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for block in blocks(page):
        if block.language == "sh":
            for target in re.findall(r"^make ([\w-]+)", block.text, re.MULTILINE):
                assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("name", [*PAGES, "docs/architecture.md", "docs/plugins.md", "CHANGELOG.md"])
def test_links_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text()
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    headings = {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in headings, target
        elif not target.startswith("http"):
            assert ((ROOT / name).parent / target.split("#")[0]).exists(), target


def test_options_of_the_readme_are_those_of_the_command() -> None:
    text = (ROOT / "README.md").read_text()
    table = set(re.findall(r"(--[a-z][a-z-]+)", text.split("| option |")[1].split("\n\n")[0]))
    help_text = ff_here("map", "--help").stdout
    assert table == set(re.findall(r"^ +(--[a-z-]+)", help_text, re.MULTILINE))


def test_field_reference_is_up_to_date_and_holds_every_class() -> None:
    page = (ROOT / "docs" / "spec.md").read_text()
    assert docs.updated(page) == page, "run: python -m ffcore.spec.docs docs/spec.md"
    # By name: attrs makes a slotted class anew, and the one it replaces may not be collected yet.
    described = {cls.__qualname__ for classes in docs.CLASSES.values() for cls in classes}

    def subclasses(cls: type) -> set[type]:
        return {cls, *(found for sub in cls.__subclasses__() for found in subclasses(sub))}

    found = subclasses(SpecNode) - {SpecNode}
    assert {cls.__qualname__ for cls in found if cls.__module__.startswith("ffcore.spec")} == described


def test_reference_gives_unit_default_and_meaning_of_a_field() -> None:
    assert "| `energy` | expression | J |  | energy of one action |" in docs.reference()
    assert "| `size` | expression | bit | **required** | capacity of one instance |" in docs.reference()
    assert "| `max_fused_loops` | expression |  | `inf` |" in docs.reference()


@pytest.mark.parametrize("cls", [c for classes in docs.CLASSES.values() for c in classes])
def test_every_field_has_a_meaning(cls: type) -> None:
    assert cls.__doc__
    assert all(field.metadata["doc"] for field in spec_fields(cls).values())
