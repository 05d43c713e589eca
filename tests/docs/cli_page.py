"""The command line reference, made from the commands themselves: ``python -m tests.docs.cli_page docs/cli.md``.

Without a file the tables are printed; with one, they are put between its two marks. Read are the signatures that typer
reads too, so that no option can be missing, and nothing depends on how a version of typer words its help.
"""

from __future__ import annotations

import enum
import inspect
import re
import sys
import typing
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import UnionType
from typing import Any

import attrs
import typer
from typer.models import ArgumentInfo, OptionInfo

from ffcore import plugin
from ffcore.cli.main import app
from tests.docs.marked import put_between, run

BEGIN, END = "<!-- commands: begin -->", "<!-- commands: end -->"

_STATED_DEFAULT = re.compile(r"\s*\[default: (.*)\]$")


@attrs.frozen
class Parameter:
    """An argument or an option of a command, as it is typed."""

    usage: str  # "ARCH", "--jobs N", "-h, --help"
    is_option: bool
    help: str
    default: str  # "" where there is none to tell
    required: bool
    several: bool


@attrs.frozen
class Command:
    """A command with its full name, such as ``ff render arch``."""

    name: str
    help: str
    parameters: tuple[Parameter, ...]

    @property
    def options(self) -> tuple[Parameter, ...]:
        return tuple(p for p in self.parameters if p.is_option)

    @property
    def arguments(self) -> tuple[Parameter, ...]:
        return tuple(p for p in self.parameters if not p.is_option)


def commands(group: typer.Typer = app, name: str = "ff") -> Iterator[Command]:
    """All commands of ``group``, those of groups within it too, in the order of registration; then those of plugins."""
    for info in group.registered_commands:
        if info.callback is not None and not info.hidden:
            own = info.name or info.callback.__name__.replace("_", "-")
            text = info.help or inspect.getdoc(info.callback) or ""
            yield Command(f"{name} {own}", text, tuple(parameters(info.callback)))
    for inner in group.registered_groups:
        if inner.typer_instance is not None and not inner.hidden:
            within = inner.name or inner.typer_instance.info.name
            yield from commands(inner.typer_instance, f"{name} {within}")
    if group is app:
        for record in plugin.records("command"):
            function = plugin.get("command", record.name)
            yield Command(f"{name} {record.name}", inspect.getdoc(function) or "", tuple(parameters(function)))
        for loader in plugin.records("spec_loader"):
            if isinstance(loader, plugin.SpecLoaderRecord) and loader.converter is not None:
                function = plugin.current_manager().converter(loader.name)
                called = f"{name} convert --from {loader.name}"
                yield Command(called, inspect.getdoc(function) or "", tuple(parameters(function)))


def parameters(function: Callable[..., Any]) -> Iterator[Parameter]:
    """The arguments and options that typer makes of a function's parameters."""
    hints = typing.get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        kind, info = _kind_and_info(hints[name], parameter.default)
        if info is None or info.hidden:
            continue
        default = parameter.default if parameter.default is not info else info.default
        names = _names(info) if isinstance(info, OptionInfo) else ()
        text, stated = _help(info.help or "")
        several = typing.get_origin(kind) in (list, tuple)
        required = default in (inspect.Parameter.empty, ...)
        shown = "" if required or default is None or default is False or info.show_default is False else default
        yield Parameter(
            _usage(name, kind, info, names),
            isinstance(info, OptionInfo),
            text,
            stated or _text(shown),
            required,
            several,
        )


def _kind_and_info(hint: Any, default: Any) -> tuple[Any, ArgumentInfo | OptionInfo | None]:
    """The type behind ``Annotated`` and ``| None``, and what typer was told of the parameter."""
    found = default if isinstance(default, ArgumentInfo | OptionInfo) else None
    if typing.get_origin(hint) is typing.Annotated:
        hint, *extras = typing.get_args(hint)
        found = next((e for e in extras if isinstance(e, ArgumentInfo | OptionInfo)), found)
    if typing.get_origin(hint) in (typing.Union, UnionType):
        (hint,) = (h for h in typing.get_args(hint) if h is not type(None))
    return hint, found


def _names(info: OptionInfo) -> tuple[str, ...]:
    """The names that the declaration gives: within ``Annotated`` the first of them stands where a default would."""
    first = (info.default,) if isinstance(info.default, str) and info.default.startswith("-") else ()
    return (*first, *(info.param_decls or ()))


def _usage(name: str, kind: Any, info: ArgumentInfo | OptionInfo, names: Sequence[str]) -> str:
    if isinstance(info, ArgumentInfo):
        return info.metavar or name.upper()
    written = name.replace("_", "-")
    joined = ", ".join(names) or f"--{written}"
    if kind is bool:
        return joined if names else f"--{written}/--no-{written}"
    return f"{joined} {info.metavar or _placeholder(kind)}"


def _placeholder(kind: Any) -> str:
    if typing.get_origin(kind) in (list, tuple):
        kind = typing.get_args(kind)[0]
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "|".join(str(member.value) for member in kind)
    return {Path: "PATH", int: "N", float: "X"}.get(kind, "NAME")


def _help(text: str) -> tuple[str, str]:
    """The help without a default that it states itself, and that default."""
    stated = _STATED_DEFAULT.search(text)
    return (text[: stated.start()], stated[1]) if stated else (text, "")


def _text(value: object) -> str:
    return f"`{value.value if isinstance(value, enum.Enum) else value}`" if value != "" else ""


def section(command: Command) -> Iterator[str]:
    """Heading, synopsis, help and option table of one command."""
    words = [command.name, "[OPTIONS]"]
    for argument in command.arguments:
        word = argument.usage if argument.required else f"[{argument.usage}]"
        words.append(word + ("..." if argument.several else ""))
    yield f"## {_title(command)}"
    yield ""
    yield from ("```text", " ".join(words), "```", "")
    for paragraph in command.help.split("\n\n"):
        yield from (" ".join(paragraph.split()), "")
    for title, rows in (("argument", command.arguments), ("option", command.options)):
        if not rows:
            continue
        yield f"| {title} | meaning | default |"
        yield "|---|---|---|"
        for row in rows:
            default = "**required**" if row.required else row.default
            cells = (f"`{row.usage}`", row.help, default)
            yield "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |"
        yield ""


def _title(command: Command) -> str:
    """A heading of which GitHub and mkdocs make the same anchor: ``ff convert --from onnx`` has too many dashes."""
    return command.name.replace(" --", " ")


def reference() -> str:
    """The sections of all commands as markdown."""
    found = list(commands())
    lines = ["| command | what it does |", "|---|---|"]
    for command in found:
        anchor = _title(command).lower().replace(" ", "-")
        sentence = re.sub(r"\s+", " ", command.help.split("\n\n")[0])
        lines.append(f"| [`{command.name}`](#{anchor}) | {sentence} |")
    lines.append("")
    for command in found:
        lines += section(command)
    return "\n".join(lines).strip()


def updated(page: str) -> str:
    """``page`` with the reference between its marks. Raises ValueError where a mark is missing."""
    return put_between(page, BEGIN, END, reference())


if __name__ == "__main__":
    run(reference, updated, sys.argv[1:])
