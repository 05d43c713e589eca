"""What this distribution registers."""

from __future__ import annotations

from collections.abc import Iterable

from ffcore.plugin import JoinerRecord, hookimpl


@hookimpl
def ffcore_joiners() -> Iterable[JoinerRecord]:
    """The exact joiner."""
    yield JoinerRecord("ffm", "exact join, linear in the number of Einsums", "ffcore_ffm_joiner.join:FFMJoiner")
