"""Showing results: text or JSON on stdout, and files in a folder (`ffcore.report.folder`)."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import typer

from ffcore.mapping.dialect import to_data
from ffcore.units import Dimension, format_quantity

if TYPE_CHECKING:
    from ffcore.results import Mappings


@attrs.frozen
class Report:
    """What ``ff map``, ``ff evaluate`` and ``ff report`` print and write.

    ``unfused``: the best mappings without fusion, or else ``unfused_note``, why there are none. ``run``: what
    ``run.json`` holds so far (`ffcore.cli.run_folder`). ``title``: what was mapped, unless ``run`` says so. ``inputs``:
    files that were read.
    """

    mappings: Mappings
    stats: Mapping[str, Any]
    unfused: Mappings | None = None
    unfused_note: str = "not computed"
    run: Mapping[str, Any] = attrs.field(factory=dict)
    title: str = ""
    inputs: tuple[str | Path, ...] = ()

    @property
    def numbers(self) -> list[tuple[float, float, float]]:
        """Energy in J, latency in s and energy-delay product in J·s of each mapping."""
        pairs = [(e.total_energy, e.total_latency) for e in self.mappings.evaluations]
        return [(energy, latency, energy * latency) for energy, latency in pairs]

    @property
    def best(self) -> int:
        """The mapping of least energy-delay product."""
        return min(range(len(self.mappings)), key=lambda i: self.numbers[i][2])

    def as_data(self) -> dict[str, Any]:
        """Plain data for JSON."""
        mappings = [
            {"energy": energy, "latency": latency, "edp": edp, "mapping": to_data(self.mappings.tree(i))}
            for i, (energy, latency, edp) in enumerate(self.numbers)
        ]
        return {"mappings": mappings, "stats": dict(self.stats)}


def titled(report: Report, arch: str, workload: Sequence[str] | None) -> Report:
    """The report under the names of the architecture and the workload that the command line gave: its inputs."""
    names = [Path(name).name.removesuffix(".yaml").removesuffix(".yml") for name in (arch, *(workload or ())[:1])]
    inputs = (*report.inputs, arch, *(workload or ()))
    return attrs.evolve(report, title=" on ".join(reversed(names)), inputs=inputs)


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
    """A table of the seconds of each phase, with the evaluations and the peak memory of this process so far."""
    total = sum(seconds.values())
    lines = [f"{'phase':10} {'seconds':>9} {'share':>6}"]
    for name, used in (*seconds.items(), ("total", total)):
        lines.append(f"{name:10} {used:9.3f} {used / total if total else 0:6.1%}")
    for name in ("evaluated_pmappings", "pareto_optimal_pmappings"):
        if name in report.stats:
            lines.append(f"{name.replace('_', ' ')}: {report.stats[name]:,}")
    lines.append(f"peak memory: {_peak_bytes() / 2**20:.0f} MiB")
    return "\n".join(lines)


def _peak_bytes() -> int:
    import resource

    largest = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return largest if sys.platform == "darwin" else largest * 1024  # macOS counts bytes, Linux KiB


def write(report: Report, out: Path) -> None:
    """Write the report's files into the folder ``out``, and on stderr what could not be written.

    Raises ``OSError`` with the path that cannot be written.
    """
    from ffcore.report.folder import write_folder

    notes = write_folder(
        out,
        report.mappings,
        report.as_data(),
        title=report.title or str(report.run.get("title", "")),
        unfused=report.unfused,
        unfused_note=report.unfused_note,
        run=report.run,
        inputs=report.inputs,
    )
    for note in notes:
        typer.echo(note, err=True)


def _json(data: Any) -> str:
    return json.dumps(data, indent=2, allow_nan=False)
