"""Running the code blocks of one page, in the order in which they stand there, in a folder of its own.

| language | what is done |
|---|---|
| ``console`` | each command after ``$ `` runs; what it prints is what is shown (``…`` stands for anything) |
| ``sh`` | each command runs and must succeed; of ``make TARGET`` only the recipe is looked up (``make -n``) |
| ``python`` | runs, in one namespace for the page |
| ``output`` | is what the ``python`` block before it printed |
| ``yaml`` | is a spec that loads |
| ``toml``, ``json`` | can be read |
| ``text`` | is for people: nothing runs |

A block with a title is the file of that name. Files are written before anything runs, and again where a later block
changes one. Above a block that cannot run stands ``<!-- not run: REASON -->``; that its commands and options exist is
checked then.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from ffcore.mapper.workers import DEFAULT_JOBS
from ffcore.spec import Spec
from tests.cli.process import ff_here
from tests.docs.blocks import ROOT, Block, commands, same, sessions

_QUOTED = re.compile(r"'[^']*'|\"[^\"$`]*\"")
NO_DOT = "Graphviz's program 'dot' is not on the PATH"  # said where it is not installed
_SHELL_SYNTAX = re.compile(r"[|<>;&$`*]")


class Page:
    """The blocks of a page at work in ``folder``, which must be the current one."""

    def __init__(self, blocks: list[Block], folder: Path) -> None:
        self.blocks = blocks
        self.folder = folder
        self.site: Path | None = None  # where packages go that the page installs
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.printed = ""

    def run(self) -> None:
        """Run everything. Raises AssertionError, or what a block raises, with the page and line of the block."""
        for block in reversed(self.blocks):  # of several blocks of one name the first is written last
            self.write(block)
        jobs = DEFAULT_JOBS.wanted
        try:
            for block in self.blocks:
                self.write(block)
                assert block.language in LANGUAGES, f"{block}: nothing runs the language {block.language!r}"
                getattr(self, block.language)(block) if not block.reason else look_up(block)
        finally:
            DEFAULT_JOBS.wanted = jobs

    def write(self, block: Block) -> None:
        if block.title:
            path = self.folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)

    def console(self, block: Block) -> None:
        for command, shown in sessions(block.text):
            done = self.execute(command)
            got = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith(NO_DOT)]
            if shown:
                assert same(shown, got), f"{block}: {command}\n" + "\n".join(got)
            else:
                assert done.returncode == 0, f"{block}: {command}\n{done.stdout}{done.stderr}"

    def sh(self, block: Block) -> None:
        for command in commands(block):
            done = self.execute(command)
            assert done.returncode == 0, f"{block}: {command}\n{done.stdout}{done.stderr}"

    def execute(self, command: str) -> subprocess.CompletedProcess[str]:
        """What the command does; ``ff`` runs in this process, unless it must find what the page installed."""
        words = shlex.split(command, comments=True)
        if words[0] == "make":
            return subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
        if words[:2] == ["pip", "install"]:
            return self.install(words[2:])
        plain = not _SHELL_SYNTAX.search(_QUOTED.sub("", command))
        if words[0] == "ff" and self.site is None and plain:
            return ff_here(*words[1:])
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "PYTHONPATH": str(self.site or "")}
        return subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, env=environment, timeout=120, check=False
        )

    def install(self, what: list[str]) -> subprocess.CompletedProcess[str]:
        """Install packages that stand in the page's folder, for the commands further down only; needs no network."""
        assert all(word.startswith("./") for word in what), f"pip install {what}: only what stands on the page"
        self.site = self.folder / "installed"
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-deps", "--no-index"]
        command = [*pip, "--no-build-isolation", "--target", str(self.site), *what]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def python(self, block: Block) -> None:
        code = compile("\n" * (block.line - 1) + block.text, block.page, "exec")
        if block.title:
            return  # a file: whoever uses it runs it
        assert self.site is None, f"{block}: Python must stand above what the page installs"
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, self.names)  # noqa: S102 - our own pages
        self.printed = printed.getvalue()

    def output(self, block: Block) -> None:
        assert same(block.text.splitlines(), self.printed.splitlines()), f"{block}: printed was\n{self.printed}"

    def yaml(self, block: Block) -> None:
        if not block.title:
            Spec.from_string(block.text)

    def toml(self, block: Block) -> None:
        tomllib.loads(block.text)

    def json(self, block: Block) -> None:
        json.loads(block.text)

    def text(self, block: Block) -> None:
        dodged = [line for line in block.text.splitlines() if re.match(r"\$ |>>> |import |from \w+ import ", line)]
        assert not dodged, f"{block}: a block that could run is called text: {dodged[0]}"


LANGUAGES = ("console", "sh", "python", "output", "yaml", "toml", "json", "text")
"""Each has a method of `Page` that runs its blocks."""


def look_up(block: Block) -> None:
    """Of a block that is not run: commands, options, targets, modules and files that it names are there."""
    assert block.language in ("sh", "console"), f"{block}: only commands may be left out, not {block.language}"
    for command in commands(block):
        words = shlex.split(command, comments=True)
        match words:
            case ["ff", name, *rest]:
                helped = ff_here(name, "--help")
                assert helped.returncode == 0, f"{block}: no command {name}"
                for word in rest:
                    if word.startswith("--"):
                        assert re.search(rf"^ +.*{re.escape(word)}\b", helped.stdout, re.MULTILINE), f"{block}: {word}"
            case ["make", target, *_]:
                makefile = (ROOT / "Makefile").read_text()
                assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), f"{block}: no target {target}"
            case ["python", "-m", module, *_]:
                assert importlib.util.find_spec(module) is not None, f"{block}: no module {module}"
            case ["pip", "install", "-r", file]:
                assert (ROOT / file).exists(), f"{block}: no file {file}"
