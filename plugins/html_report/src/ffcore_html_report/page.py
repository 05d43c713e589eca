"""The page: what stands around the charts, and everything that must be there without a script."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from ffcore.plugin import (
    BranchView,
    ComputeView,
    Dimension,
    HolderView,
    LoopView,
    Point,
    StepView,
    einsums_of,
    format_quantity,
    tensor_colours,
    title_of,
)
from ffcore_html_report.data import MappingDetail, ReportData
from ffcore_html_report.payload import UNFUSED, component_colours, embedded

_DIGITS = 4


def page(data: ReportData) -> str:
    """The report as one HTML document that needs nothing else."""
    scripts, hashes = _scripts()
    policy = (
        "default-src 'none'; "
        f"script-src {hashes}; "
        "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    return _template().render(
        data=data,
        title=data.title or "Mappings",
        policy=policy,
        style=Markup(_static("report.css")),
        scripts=scripts,
        payload=Markup(embedded(data)),
        headline=_headline(data),
        choices=_choices(data),
        first=str(_detail_of_best(data).point.number),
        mappings=[_mapping(key, detail) for key, detail in _details(data)],
        colours=tensor_colours(t.name for t in data.tensors),
        component_colours=component_colours(data),
        size=lambda bits: format_quantity(bits, Dimension.SIZE),
        run=_run(data),
        UNFUSED=UNFUSED,
    )


@cache
def _template() -> Template:
    """The page's template; a sweep makes many pages, and to compile it takes as long as to fill it."""
    environment = Environment(
        loader=PackageLoader("ffcore_html_report", "static"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


@cache
def _scripts() -> tuple[list[Markup], str]:
    """What the page runs, and what allows just that."""
    # Imported here: a job without a report should not wait for it.
    from plotly.offline import get_plotlyjs

    scripts = [_script(get_plotlyjs()), _script(_static("report.js"))]
    return scripts, " ".join(_hash(script) for script in scripts)


def _static(name: str) -> str:
    return resources.files("ffcore_html_report").joinpath("static", name).read_text("utf-8")


def _script(source: str) -> Markup:
    """A script as it stands in the page, where nothing within its strings ends its element early."""
    return Markup(source.replace("</script", "<\\/script").replace("<!--", "<\\!--"))


def _hash(script: str) -> str:
    """What allows exactly this script to run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _details(data: ReportData) -> list[tuple[str, MappingDetail]]:
    """Key -> mapping, as the script knows them."""
    details = [(str(d.point.number), d) for d in data.details]
    return details if data.unfused.best is None else [*details, (UNFUSED, data.unfused.best)]


def _detail_of_best(data: ReportData) -> MappingDetail:
    return next(d for d in data.details if d.point.number == data.best)


# -- headline -----------------------------------------------------------------------------------


def _headline(data: ReportData) -> list[dict[str, str]]:
    """The best of each metric, exactly too, and by what factor it is better than the best without fusion."""
    rows = []
    lead = "least " if len(data.points) > 1 else ""
    for name, unit, best, other in (
        ("energy-delay product", Dimension.ENERGY_DELAY, *_least(data, lambda p: p.edp)),
        ("energy", Dimension.ENERGY, *_least(data, lambda p: p.energy)),
        ("latency", Dimension.TIME, *_least(data, lambda p: p.latency)),
    ):
        number, _, symbol = _quantity(best, unit).partition(" ")
        rows.append(
            {
                "name": f"{lead}{name}".capitalize(),
                "number": number,
                "unit": symbol.replace("*", "·"),
                "exact": f"{best!r} {unit.value.replace('*', '·')}",
                "factor": "" if other is None else _factor(other, best),
            }
        )
    return rows


def _least(data: ReportData, number: Any) -> tuple[float, float | None]:
    others = [number(p) for p in data.unfused.points]
    return min(number(p) for p in data.points), (min(others) if others else None)


def _factor(without: float, best: float) -> str:
    """How much less than without fusion."""
    if best <= 0:
        return ""
    factor = without / best
    if abs(factor - 1) < 5e-4:
        return "as with no fusion"
    if factor < 1:
        return f"{1 / factor:#.3g}× that of no fusion"
    return f"{factor:#.3g}× less than with no fusion"


def _choices(data: ReportData) -> list[tuple[str, str]]:
    """(key, text) of the mappings that can be shown."""
    choices = []
    for key, detail in _details(data):
        name = "no fusion" if key == UNFUSED else f"mapping {key}"
        best = " (least EDP)" if key == str(data.best) and len(data.points) > 1 else ""
        choices.append((key, f"{name}: {_told(detail.point)}{best}"))
    return choices


def _told(point: Point) -> str:
    return f"{_quantity(point.energy, Dimension.ENERGY)}, {_quantity(point.latency, Dimension.TIME)}"


def _quantity(value: float, dimension: Dimension) -> str:
    """As the script writes it: with the sign for micro, which a page can show where a terminal may not."""
    number, _, unit = format_quantity(value, dimension, _DIGITS).partition(" ")
    return f"{number} {'µ' + unit[1:] if unit.startswith('u') else unit}"


# -- mappings as nested loops ---------------------------------------------------------------------


def _mapping(key: str, detail: MappingDetail) -> dict[str, Any]:
    return {"key": key, "told": _told(detail.point), "steps": _steps(detail.view.steps)}


def _steps(steps: Sequence[StepView]) -> list[dict[str, Any]]:
    """Steps as the template draws them; loops that run once are left out."""
    result: list[dict[str, Any]] = []
    for step in steps:
        if isinstance(step, BranchView):
            branches = [
                {"title": title_of(branch), "width": len(einsums_of(branch)) or 1, "steps": _steps(branch)}
                for branch in step.branches
            ]
            result.append({"kind": "branches", "branches": branches})
        elif isinstance(step, HolderView):
            result.append({"kind": "toll" if step.passes_only else "holder", "step": step})
        elif isinstance(step, ComputeView):
            result.append({"kind": "compute", "step": step})
        elif isinstance(step, LoopView) and step.trips != 1:
            result.append({"kind": "spatial" if step.spatial else "loop", "step": step})
    return result


# -- run information --------------------------------------------------------------------------------

# What a run that has just ended says of itself while its report is written, and what stands in its command already.
_OMITTED = ("format", "title", "status", "error", "phase", "ended", "arguments", "other_spec")


def _run(data: ReportData) -> list[tuple[str, str]]:
    run = {name: item for name, item in data.run.items() if name not in _OMITTED}
    if isinstance(run.get("command"), list):
        run["command"] = " ".join(map(str, run["command"]))
    if data.stats and "counts" not in run:  # else the run says the same
        run["search"] = data.stats
    return _rows(run)


def _rows(value: Mapping[str, Any], lead: str = "") -> list[tuple[str, str]]:
    """Nested information as (name, text), names joined by dots."""
    rows: list[tuple[str, str]] = []
    for name, item in value.items():
        full = f"{lead}{str(name).replace('_', ' ')}"
        if isinstance(item, Mapping):
            rows += _rows(item, f"{full} · ")
        elif isinstance(item, (list, tuple)):
            rows += [(full, ", ".join(map(str, item)))] if item else []
        elif item in (".inf", math.inf):  # as text where it comes from a file
            rows.append((full, "unlimited"))
        elif item is not None and item != "":
            rows.append((full, f"{item:,}" if isinstance(item, int) and not isinstance(item, bool) else str(item)))
    return rows
