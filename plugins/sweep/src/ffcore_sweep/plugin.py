"""What this distribution registers."""

from __future__ import annotations

from collections.abc import Iterable

from ffcore.plugin import CommandRecord, hookimpl


@hookimpl
def ffcore_commands() -> Iterable[CommandRecord]:
    """``ff sweep``."""
    yield CommandRecord(
        "sweep",
        "Map a workload under every combination of some values.",
        "ffcore_sweep.command:sweep",
        function="ffcore_sweep.run:sweep",
    )
