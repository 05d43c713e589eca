"""What this distribution registers."""

from __future__ import annotations

from collections.abc import Iterable

from ffcore.plugin import CommandRecord, hookimpl


@hookimpl
def ffcore_commands() -> Iterable[CommandRecord]:
    """``ff sweep``, ``ff search`` and ``ff bound``."""
    yield CommandRecord(
        "sweep",
        "Map a workload under every combination of some values.",
        "ffcore_sweep.command:sweep",
        function="ffcore_sweep.run:sweep",
    )
    yield CommandRecord(
        "search",
        "Find the best design of a space within limits, without mapping every point of it.",
        "ffcore_sweep.search_command:search",
        function="ffcore_sweep.search:search",
    )
    yield CommandRecord(
        "bound",
        "Say how little a workload must move to and from DRAM, for every size of an on-chip buffer.",
        "ffcore_sweep.bound_command:bound",
        function="ffcore_sweep.bound:bound",
    )
