"""The commands of ``ff``: core's own, and those of plugins, which are imported when they run.

Types of click are not named: some versions of typer bring a click of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from ffcore.cli.guard import BAD_INPUT
from ffcore.plugin import current_manager


class Commands(TyperGroup):
    """Core's commands in their order, then those of plugins by priority and name."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All names."""
        own = list(super().list_commands(ctx))
        return [*own, *(name for name in current_manager().names("command") if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, or what ``--help`` shows of one that a plugin brings."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        record = next((r for r in current_manager().records("command") if r.name == cmd_name), None)
        return None if record is None else TyperCommand(cmd_name, help=record.summary, rich_markup_mode=None)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command itself: a plugin's is imported now."""
        name, empty = args[0], without_value(args)
        if empty:
            typer.echo(f"{empty} is followed by an empty text: give it a value, or leave it out", err=True)
            raise typer.Exit(BAD_INPUT)
        if super().get_command(ctx, name) is not None:
            return super().resolve_command(ctx, args)
        manager = current_manager()
        if name not in (*manager.names("command"), *manager.missing("command")):
            return super().resolve_command(ctx, args)
        from ffcore.errors import PluginError, printable

        try:
            return name, loaded_command(name), args[1:]
        except PluginError as error:
            typer.echo(printable(str(error)), err=True)
            raise typer.Exit(BAD_INPUT) from None

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """What more there is to install."""
        missing = current_manager().missing("command")
        if missing:
            with formatter.section("Not installed"):
                formatter.write_text(", ".join(f"{name} (pip install {missing[name]})" for name in sorted(missing)))


def without_value(args: Sequence[str]) -> str:
    """The first option whose value is empty, as an unset variable of a shell makes it; else empty.

    ``--out ""`` would be the working folder. What stands behind ``--`` is not ours.

    >>> without_value(["map", "simple", "--out", ""])
    '--out'
    """
    own = list(takewhile(lambda arg: arg != "--", args))
    for arg, following in zip(own, [*own[1:], None], strict=True):
        name, given, value = arg.partition("=")
        if name.startswith("-") and (following == "" if not given else not value):
            return name
    return ""


def loaded_command(name: str) -> Any:
    """A plugin's command for typer. Raises ``PluginError`` where there is none or it cannot be imported."""
    made = current_manager().get("command", name)
    if not isinstance(made, typer.Typer):
        app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
        app.command(name)(made)
        made = app
    return typer.main.get_command(made)
