"""Showing results: text or JSON on stdout, and files in a folder (`ffcore.results.folder`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import typer

from ffcore.cli import run_folder
from ffcore.cli.profile import profile_table
from ffcore.cli.run_json import write_spec
from ffcore.locks import writing
from ffcore.mapping.dialect import to_data
from ffcore.units import Dimension, format_quantity

if TYPE_CHECKING:
    from pathlib import Path

    from ffcore.results import Mappings
    from ffcore.spec import Spec


@attrs.frozen
class Report:
    """What ``ff map``, ``ff evaluate`` and ``ff report`` print and write.

    ``unfused``: the best mappings without fusion, or else ``unfused_note``, why there are none. ``spec``: what the
    mappings are of, unless the folder that the report goes to says so already. ``run``: what ``run.json`` holds, or,
    with ``spec``, is to hold (`ffcore.cli.run_folder`). ``inputs``: files that were read.
    """

    mappings: Mappings
    stats: Mapping[str, Any] = attrs.field(factory=dict)
    unfused: Mappings | None = None
    unfused_note: str = "not computed"
    spec: Spec | None = None
    run: Mapping[str, Any] = attrs.field(factory=dict)
    inputs: tuple[str | Path, ...] = ()

    @property
    def numbers(self) -> list[tuple[float, float, float]]:
        """Energy in J, latency in s and energy-delay product in J·s of each mapping."""
        pairs = [(e.total_energy, e.total_latency) for e in self.mappings.evaluations]
        return [(energy, latency, energy * latency) for energy, latency in pairs]

    @property
    def best(self) -> int:
        """The mapping of least energy-delay product."""
        from ffcore.results.front import best_of, points_of

        return best_of(points_of(self.mappings)).number

    def as_data(self) -> dict[str, Any]:
        """Plain data for JSON."""
        mappings = [
            {"energy": energy, "latency": latency, "edp": edp, "mapping": to_data(self.mappings.tree(i))}
            for i, (energy, latency, edp) in enumerate(self.numbers)
        ]
        return {"mappings": mappings, "stats": dict(self.stats)}


def titled(report: Report, arch: str, workload: Sequence[str] | None) -> Report:
    """The report under the names of the architecture and the workload that the command line gave: its inputs."""
    others = tuple(workload or ())
    return attrs.evolve(report, run=run_folder.called(arch, others), inputs=(*report.inputs, arch, *others))


def show(report: Report, format: str, out: Path | None) -> None:
    """Print the report on stdout (``text`` or ``json``) and write it into the folder ``out``, if given."""
    if out is not None:
        write(report, out)
    typer.echo(_json(report.as_data()) if format == "json" else as_text(report))


def as_text(report: Report) -> str:
    """A table of the mappings, the one of least energy-delay product drawn below it, and the statistics."""
    lines = [f"{'mapping':>7}  {'energy':>12}  {'latency':>12}  {'EDP (J·s)':>22}"]
    for number, (joules, seconds, edp) in enumerate(report.numbers):
        energy = format_quantity(joules, Dimension.ENERGY, 6)
        latency = format_quantity(seconds, Dimension.TIME, 6)
        lines.append(f"{number:>7}  {energy:>12}  {latency:>12}  {edp:>22.16g}")
    lines += ["", f"mapping {report.best}", report.mappings.render(report.best).text]
    for name, value in report.stats.items():
        parts = value.items() if isinstance(value, Mapping) else ()
        lines.append(f"{name.replace('_', ' ')}: {', '.join(f'{k} {v}' for k, v in parts) or value}")
    return "\n".join(lines)


def profile(report: Report, seconds: Mapping[str, float]) -> str:
    """The seconds of each phase, with the evaluations and the peak memory so far."""
    names = "evaluated_pmappings", "pareto_optimal_pmappings"
    return profile_table(seconds, {name: report.stats[name] for name in names if name in report.stats})


def write(report: Report, out: Path) -> None:
    """Write the report's files into the folder ``out``, and on stderr what could not be written.

    Raises ``OSError`` with the path that cannot be written, ``FFError`` where results would replace an input.
    """
    with writing(out):
        notes = _written(report, out)
    for note in notes:
        typer.echo(note, err=True)


def _written(report: Report, out: Path) -> list[str]:
    """Write the files, and return what is to be said."""
    from ffcore.results.folder import check_inputs, write_folder

    check_inputs(out, report.mappings, report.inputs)
    run = report.run if report.spec is None else run_folder.write_run(out, report.spec, report.run)
    notes = write_folder(
        out,
        report.mappings,
        report.as_data(),
        title=str(run.get("title", "")),
        unfused=report.unfused,
        unfused_note=report.unfused_note,
        run=run,
        inputs=report.inputs,
    )
    if report.spec is not None:
        write_spec(out / run_folder.SPEC, report.spec)
    if run.get("other_spec"):
        notes.append("the mappings were found for another spec: for this one there may be better ones")
    return notes


def _json(data: Any) -> str:
    return json.dumps(data, indent=2, allow_nan=False)
