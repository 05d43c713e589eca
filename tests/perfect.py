"""Specs whose numbers were found with perfect factors say so."""

from __future__ import annotations

from ffcore.spec import Spec

FIELDS = "explore_imperfect_temporal_loops: False, explore_imperfect_spatial_loops: False"


def perfect_factors(spec: Spec) -> Spec:
    """The spec, from now on without imperfect factors."""
    spec.mapper.ffm.explore_imperfect_temporal_loops = False
    spec.mapper.ffm.explore_imperfect_spatial_loops = False
    return spec
