"""``af.mapper.FFM``: pmappings, then mappings; what pmappings were made from goes along with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ffcore.plugin import Metric, make_pmappings
from ffcore.plugin import join_pmappings as join
from ffcore_compat_accelforge import mappings, pmappings
from ffcore_compat_accelforge.spec import Spec, row_filter


class FFM:
    """The calls of AccelForge's ``mapper.FFM``."""

    Metrics = Metric
    Mappings = mappings.Mappings
    MultiEinsumPmappings = pmappings.MultiEinsumPmappings

    @staticmethod
    def make_pmappings(
        spec: Spec,
        einsum_names: Sequence[str] | None = None,
        can_combine_multiple_runs: bool = False,
        cache_dir: str | Path | None = None,
        print_progress: bool = True,
        print_number_of_pmappings: bool = False,
        one_pbar_only: bool = False,
    ) -> pmappings.MultiEinsumPmappings:
        """Pmappings of all Einsums, or of those named. Nothing is printed. Raises as ffcore's call does."""
        found = make_pmappings(spec, can_combine_multiple_runs, cache_dir, einsum_names)
        return pmappings.MultiEinsumPmappings(found, spec.copy())

    @staticmethod
    def join_pmappings(
        found: pmappings.MultiEinsumPmappings,
        metrics: Metric | None = None,
        require_all_einsums: bool = True,
        _pmapping_row_filter_function: Callable[[Any], bool] | None = None,
        print_progress: bool = True,
        **_steering: object,
    ) -> mappings.Mappings:
        """Mappings of the workload, the best for ``metrics`` (default: those of the spec).

        Raises FFError for metrics that the pmappings were made without regard to.
        """
        spec = found.spec.copy()
        if metrics is not None:
            spec.mapper.ffm.metrics = metrics
        return mappings.Mappings(join(spec, found, row_filter(_pmapping_row_filter_function)), spec)

    @staticmethod
    def map_workload_to_arch(spec: Spec, *args: Any, **options: Any) -> mappings.Mappings:
        """As ``spec.map_workload_to_arch``."""
        return spec.map_workload_to_arch(*args, **options)
