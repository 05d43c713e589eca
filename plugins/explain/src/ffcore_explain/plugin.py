"""What this distribution registers."""

from __future__ import annotations

from collections.abc import Iterable

from ffcore.plugin import CommandRecord, hookimpl


@hookimpl
def ffcore_commands() -> Iterable[CommandRecord]:
    """``ff explain``."""
    yield CommandRecord(
        "explain",
        "Say why no mapping is valid, or what each constraint costs.",
        "ffcore_explain.command:explain",
        function="ffcore_explain.inquiry:explain",
    )
