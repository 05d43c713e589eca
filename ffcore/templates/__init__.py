"""Templates: the holders and loops of each Einsum, tile sizes still open."""

from __future__ import annotations

from ffcore.templates.enumerate import einsum_choices, einsum_templates
from ffcore.templates.holders import HolderChoice
from ffcore.templates.rename import TemplateStock
from ffcore.templates.types import Site, SpatialLoop, Template, TollSite

__all__ = [
    "HolderChoice",
    "Site",
    "SpatialLoop",
    "Template",
    "TemplateStock",
    "TollSite",
    "einsum_choices",
    "einsum_templates",
]
