"""The numbers of a report as JSON that may stand in HTML.

Names are told once and referred to by their places (-1: none), so that many mappings take little room.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from ffcore.plugin import Point, tensor_colours
from ffcore_html_report.data import MappingDetail, Occupancy, ReportData, RooflinePoint

# Seen on white and on black, apart for most kinds of colour vision, and deeper than the tensors' pale ones.
_COMPONENT_COLOURS = (
    "#4477aa",
    "#cc6633",
    "#449470",
    "#8f6bb5",
    "#c0494f",
    "#4f9db5",
    "#a8862a",
    "#7a8694",
    "#c2628f",
    "#357f80",
)
UNFUSED = "unfused"
"""What stands for the best mapping without fusion where others have their number."""


def component_colours(data: ReportData) -> Mapping[str, str]:
    """A colour for each component."""
    return {name: _COMPONENT_COLOURS[i % len(_COMPONENT_COLOURS)] for i, name in enumerate(data.components)}


def payload(data: ReportData) -> dict[str, Any]:
    """Everything that the page's script draws, as plain data without infinities."""
    colours = tensor_colours(t.name for t in data.tensors)
    places = _Places(
        {e.name: i for i, e in enumerate(data.einsums)},
        {t.name: i for i, t in enumerate(data.tensors)},
        {name: i for i, name in enumerate(data.components)},
    )
    details = {str(d.point.number): places.detail(d) for d in data.details}
    if data.unfused.best is not None:
        details[UNFUSED] = places.detail(data.unfused.best)
    return {
        "einsums": [{"name": e.name, "computes": e.computes, "copy": e.is_copy} for e in data.einsums],
        "tensors": [
            {"name": t.name, "bits": t.bits, "shared": t.shared, "colour": colours[t.name]} for t in data.tensors
        ],
        "components": [{"name": name, "colour": colour} for name, colour in component_colours(data).items()],
        "points": _points(data.points),
        "best": data.best,
        "unfused": _points(data.unfused.points),
        "details": details,
    }


def embedded(data: ReportData) -> str:
    """The payload as text that cannot end the element that it stands in, nor begin a comment."""
    text = json.dumps(payload(data), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _points(points: Iterable[Point]) -> list[list[float]]:
    return [[p.energy, p.latency] for p in points]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


@attrs.frozen
class _Places:
    """Name -> place of Einsums, tensors and components."""

    einsums: Mapping[str, int]
    tensors: Mapping[str, int]
    components: Mapping[str, int]

    def detail(self, detail: MappingDetail) -> dict[str, Any]:
        return {
            "point": [detail.point.energy, detail.point.latency],
            "energy": [
                [self.einsums[p.einsum], self.components[p.component], self._tensor(p.tensor), p.action, p.energy]
                for p in detail.energy
            ],
            "latency": [
                {
                    "seconds": _finite(e.latency),
                    "bottleneck": self.components.get(e.bottleneck, -1),
                    "busy": [[self.components[name], _finite(seconds)] for name, seconds in e.busy.items()],
                }
                for e in detail.latency
            ],
            "occupancy": [self._occupancy(memory) for memory in detail.occupancy],
            "spatial": [[self.einsums[s.einsum], f"{s.component}.{s.dimension}", s.share] for s in detail.spatial],
            "roofline": {
                "whole": None if detail.roofline.whole is None else self._roofline(detail.roofline.whole),
                "einsums": [self._roofline(point) for point in detail.roofline.einsums],
            },
        }

    def _tensor(self, name: str | None) -> int:
        return -1 if name is None else self.tensors[name]

    def _occupancy(self, occupancy: Occupancy) -> dict[str, Any]:
        moments = [
            {
                "size": _finite(m.size),
                "bits": m.bits,
                "share": _finite(m.share),
                "kept": [[self.tensors[k.tensor], k.bits, k.level, k.shared] for k in m.kept],
            }
            for m in occupancy.moments
        ]
        return {"memory": self.components[occupancy.memory], "moments": moments}

    def _roofline(self, point: RooflinePoint) -> dict[str, Any]:
        return {
            "einsum": self.einsums.get(point.einsum, -1),
            "computes": point.computes,
            "performance": _finite(point.performance),
            "compute": point.compute,
            "peak": _finite(point.peak),
            "binding": point.binding,
            "roof": _finite(point.roof),
            "slopes": [[self.components[s.component], s.bits, _finite(s.bandwidth)] for s in point.slopes],
        }
