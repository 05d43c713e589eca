"""The generated references, of spec fields and of the command line, are up to date and complete."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pytest
import typer

from ffcore.spec.fields import SpecNode, spec_fields
from tests.cli.process import ff_here
from tests.docs import cli_page as cli_docs
from tests.docs import spec_page as docs
from tests.docs.blocks import ROOT
from tests.docs.marked import run


def test_field_reference_is_up_to_date_and_holds_every_class() -> None:
    page = (ROOT / "docs" / "spec.md").read_text()
    assert docs.updated(page) == page, "run: python -m tests.docs.spec_page docs/spec.md"
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


# -- command line ---------------------------------------------------------------------------------


def test_command_reference_is_up_to_date() -> None:
    page = (ROOT / "docs" / "cli.md").read_text()
    assert cli_docs.updated(page) == page, "run: python -m tests.docs.cli_page docs/cli.md"


@pytest.mark.parametrize("command", list(cli_docs.commands()), ids=lambda command: command.name)
def test_command_reference_has_the_options_that_the_command_has(command: cli_docs.Command) -> None:
    text = ff_here(*command.name.split()[1:], "--help").stdout
    own = {name for option in command.options for name in re.findall(r"--?[a-z][a-z-]*", option.usage.split(" ")[0])}
    assert own == set(re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", text, re.MULTILINE)) - {"--help"} - {"-h"}
    for argument in command.arguments:
        assert argument.usage in text


def test_every_command_that_ff_lists_is_there() -> None:
    listed = re.findall(r"^  ([a-z-]+)  ", ff_here("--help").stdout.split("Commands:")[1], re.MULTILINE)
    assert listed == list(dict.fromkeys(command.name.split()[1] for command in cli_docs.commands()))


class Size(StrEnum):
    small = "s"
    large = "l"


def test_all_forms_of_parameters(tmp_path: Path) -> None:
    def cook(
        what: Annotated[str, typer.Argument(metavar="DISH", help="What.")],
        more: Annotated[list[str] | None, typer.Argument(help="More of it.")] = None,
        times: Annotated[int, typer.Option("--times", "-n", help="How often.")] = 0,
        size: Annotated[Size, typer.Option(help="How much.")] = Size.large,
        where: Annotated[Path | None, typer.Option(help="Place.  [default: here]")] = None,
        salt: bool = typer.Option(False, help="Salt | pepper."),
        secret: Annotated[bool, typer.Option(hidden=True)] = False,
    ) -> None:
        """Cook a dish.

        And eat
        it.
        """

    inner, outer = typer.Typer(name="kitchen"), typer.Typer()
    inner.command()(cook)
    outer.add_typer(inner)
    (command,) = cli_docs.commands(outer, "ff")
    assert list(cli_docs.section(command)) == [
        "## ff kitchen cook",
        "",
        *("```text", "ff kitchen cook [OPTIONS] DISH [MORE]...", "```"),
        "",
        *("Cook a dish.", "", "And eat it.", ""),
        *("| argument | meaning | default |", "|---|---|---|"),
        "| `DISH` | What. | **required** |",
        "| `MORE` | More of it. |  |",
        "",
        *("| option | meaning | default |", "|---|---|---|"),
        "| `--times, -n N` | How often. | `0` |",
        "| `--size s\\|l` | How much. | `l` |",
        "| `--where PATH` | Place. | here |",
        "| `--salt/--no-salt` | Salt \\| pepper. |  |",
        "",
    ]


@pytest.mark.parametrize("module", [docs, cli_docs])
def test_a_page_without_marks_is_refused(module: object) -> None:
    with pytest.raises(ValueError, match="the page must hold"):
        module.updated("# no marks")  # type: ignore[attr-defined]


def test_command_reference_is_written_into_its_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "cli.md"
    page.write_text(f"before\n{cli_docs.BEGIN}\nold\n{cli_docs.END}\nafter\n")
    run(cli_docs.reference, cli_docs.updated, [str(page)])
    assert page.read_text() == f"before\n{cli_docs.BEGIN}\n{cli_docs.reference()}\n{cli_docs.END}\nafter\n"
    run(cli_docs.reference, cli_docs.updated, [])
    assert capsys.readouterr().out.strip() == cli_docs.reference()
