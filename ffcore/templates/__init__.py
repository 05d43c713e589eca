"""Templates: the holders and loops of each Einsum, tile sizes still open."""

from __future__ import annotations

from ffcore.templates.enumerate import einsum_templates
from ffcore.templates.types import Site, SpatialLoop, Template, TollSite

__all__ = ["Site", "SpatialLoop", "Template", "TollSite", "einsum_templates"]
