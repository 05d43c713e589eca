"""What tiles take at least, told without looking at any choice of trip counts: what cannot fit is refused at once."""

from __future__ import annotations

from collections.abc import Sequence

from ffcore.numbers import divisors
from ffcore.templates import Site, Template
from ffcore.tolerances import FANOUT, FITS


def may_fit(templates: Sequence[Template]) -> bool:
    """May any of the templates have tiles that fit all memories? False only where that is certain."""
    return any(not too_small(template) for template in templates)


def too_small(template: Template) -> dict[str, float]:
    """Memories that are too small whatever the trips of all loops, and bits that they would need at least."""
    components = template.components
    least = least_bits(template)
    return {components[i].name: bits for i, bits in least.items() if bits > components[i].size * FITS}


def kept_throughout(templates: Sequence[Template]) -> dict[str, float]:
    """Per memory, bits that an Einsum's own persistent tensors take at least, whatever runs.

    A lower bound: tensors that other Einsums touch are left out, and of all templates the least counts.
    """
    result: dict[str, float] = {}
    for number, template in enumerate(templates):
        own: dict[str, float] = {}
        for index, bits in _bits(template, [s for s in template.sites if _stays(template, s)]).items():
            own[template.components[index].name] = bits
        if not own:
            return {}
        result = own if not number else {m: min(bits, own[m]) for m, bits in result.items() if m in own}
    return result


def _stays(template: Template, site: Site) -> bool:
    return site.persistent and site.tensor not in template.einsum.shared


def least_bits(template: Template) -> dict[int, float]:
    """Per component, bits that one instance holds at least: a lower bound for every choice of trips.

    Occupancy grows with the extent of each rank variable, and these are the least that any choice gives: 1 where a
    temporal loop above cuts it, else all that spatial loops across this component and those above leave over.
    """
    return _bits(template, template.sites)


def _bits(template: Template, sites: Sequence[Site]) -> dict[int, float]:
    first: dict[str, int] = {}
    for number, block in enumerate(template.blocks):
        for v in block:
            first.setdefault(v, number)
    result: dict[int, float] = {}
    for site in sites:
        tensor = template.einsum.kept(site.tensor, site.backing)
        extents = {v: _extent(template, site, v, first) for v in tensor.variables}
        values, component = tensor.tile_values(extents), template.components[site.index]
        bits = template.einsum.bits(tensor, component, values, site.persistent)
        result[site.index] = result.get(site.index, 0.0) + bits
    return result


def _extent(template: Template, site: Site, variable: str, first: dict[str, int]) -> int:
    if variable not in first or site.reservation > first[variable]:
        return 1
    most = 1.0
    for loop in template.spatial:
        if loop.variable == variable and loop.index <= site.index:
            dimension = template.components[loop.index].spatial[loop.dimension]
            most *= dimension.fanout / dimension.usage_scale if dimension.usage_scale > 0 else float("inf")
    bound = template.einsum.bounds[variable]
    return bound // max(d for d in divisors(bound) if d == 1 or d <= most * FANOUT)
