"""What this distribution registers."""

from __future__ import annotations

from collections.abc import Iterable

from ffcore.plugin import CostModelRecord, hookimpl


@hookimpl
def ffcore_cost_models() -> Iterable[CostModelRecord]:
    """Cost models."""
    yield CostModelRecord(
        "tables",
        "energy, area and leakage from tables: Accelergy's ERT and ART (YAML), or CSV; option files",
        "ffcore_component_costs.tables:TableCosts",
        files=["files"],
    )
    yield CostModelRecord(
        "hwcomponents",
        "asks the library of that name, with the models installed for it (Python 3.12 and newer)",
        "ffcore_component_costs.library:LibraryCosts",
    )
