"""Pmappings that know what they were made from."""

from __future__ import annotations

from typing import Any

from ffcore.plugin import Pmappings
from ffcore_compat_accelforge.spec import Spec


class MultiEinsumPmappings(Pmappings):
    """Pmappings with the spec that they were made from."""

    def __init__(self, found: Pmappings, spec: Spec) -> None:
        super().__init__(found.source, found.problem, found.can_combine_multiple_runs)
        self.spec = spec

    def n_total_pmappings(self, per_einsum: bool = False) -> Any:
        """Size of the mapspace."""
        return self.total_pmappings(per_einsum)

    def n_valid_pmappings(self, per_einsum: bool = False) -> Any:
        """How many of all pmappings are valid."""
        return self.valid_pmappings(per_einsum)

    def n_evaluated_pmappings(self, per_einsum: bool = False) -> Any:
        """How often the model was really evaluated."""
        return self.evaluated_pmappings(per_einsum)

    def n_pareto_optimal_pmappings(self, per_einsum: bool = False) -> Any:
        """How many pmappings the search kept."""
        return self.pareto_optimal_pmappings(per_einsum)
