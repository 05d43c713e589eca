"""What this distribution registers."""

from __future__ import annotations

from collections.abc import Iterable

from ffcore.plugin import CommandRecord, hookimpl


@hookimpl
def ffcore_commands() -> Iterable[CommandRecord]:
    """``ff new-plugin``."""
    yield CommandRecord(
        "new-plugin",
        "Start a plugin: a package with a small working part.",
        "ffcore_scaffold.command:new_plugin",
    )
