"""What this distribution registers."""

from __future__ import annotations

from collections.abc import Iterable

from ffcore.plugin import CommandRecord, ExplorerRecord, JoinerRecord, hookimpl

_JOINERS = {
    "genetic": ("genetic search over unpruned pmappings", "Genetic"),
    "random": ("random mappings of unpruned pmappings", "Random"),
    "simanneal": ("simulated annealing over unpruned pmappings", "SimAnneal"),
    "simanneal2": ("the published baseline: improvements only, over Pareto-optimal pmappings", "SimAnneal2"),
}


@hookimpl
def ffcore_joiners() -> Iterable[JoinerRecord]:
    """The baselines."""
    for name, (summary, part) in _JOINERS.items():
        drawn = name == "simanneal2"  # of what an exact explorer found, imperfect factors too
        yield JoinerRecord(
            name,
            f"{summary}; not exact",
            f"ffcore_simanneal.joiners:{part}",
            priority=20,
            explorer="default" if drawn else "templates",
            tracks=True,
            imperfect=drawn,
        )


@hookimpl
def ffcore_explorers() -> Iterable[ExplorerRecord]:
    """What the baselines search in."""
    summary = "templates alone: for joiners that search unpruned pmappings"
    yield ExplorerRecord("templates", summary, "ffcore_simanneal.mapspace:TemplateExplorer", priority=20)


@hookimpl
def ffcore_commands() -> Iterable[CommandRecord]:
    """``ff compare``."""
    yield CommandRecord("compare", "Compare joiners under equal wall time.", "ffcore_simanneal.compare:compare")
