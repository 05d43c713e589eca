"""What this distribution registers."""

from __future__ import annotations

from collections.abc import Iterable

from ffcore.plugin import ExplorerRecord, JoinerRecord, hookimpl


@hookimpl
def ffcore_explorers() -> Iterable[ExplorerRecord]:
    """Every pmapping."""
    yield ExplorerRecord(
        "exhaustive",
        "every tile choice of every template",
        "ffcore_exhaustive.parts:ExhaustiveExplorer",
        priority=10,
        imperfect=True,
    )


@hookimpl
def ffcore_joiners() -> Iterable[JoinerRecord]:
    """Every combination."""
    yield JoinerRecord(
        "exhaustive",
        "every combination of pmappings",
        "ffcore_exhaustive.parts:ExhaustiveJoiner",
        priority=10,
        explorer="exhaustive",
        judges=True,
        exact=True,
        usage=True,
    )
