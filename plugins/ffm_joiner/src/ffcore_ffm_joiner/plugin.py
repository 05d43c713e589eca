"""What this distribution registers."""

from __future__ import annotations

from collections.abc import Iterable

from ffcore.plugin import JoinerRecord, hookimpl


@hookimpl
def ffcore_joiners() -> Iterable[JoinerRecord]:
    """The exact joiner."""
    summary = "exact join, linear in the number of Einsums"
    yield JoinerRecord("ffm", summary, "ffcore_ffm_joiner.join:FFMJoiner", exact=True, usage=True)
