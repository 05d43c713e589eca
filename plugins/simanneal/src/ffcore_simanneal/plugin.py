"""What this distribution registers."""

from __future__ import annotations

from collections.abc import Iterable

from ffcore.plugin import JoinerRecord, hookimpl

_JOINERS = {
    "simanneal2": ("the published baseline: improvements only, over Pareto-optimal pmappings", "SimAnneal2"),
}


@hookimpl
def ffcore_joiners() -> Iterable[JoinerRecord]:
    for name, (summary, part) in _JOINERS.items():
        yield JoinerRecord(name, f"{summary}; not exact", f"ffcore_simanneal.joiners:{part}", priority=20)
