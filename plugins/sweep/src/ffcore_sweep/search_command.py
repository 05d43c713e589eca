"""``ff search``: the best design of a space, without mapping every point."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ffcore.plugin import Dimension, NoValidMappingError, Request, format_quantity, spec_command
from ffcore.plugin import options as opt
from ffcore_sweep.axes import show_value
from ffcore_sweep.command import Arch, Vary, VaryArch, VaryWorkload, Where

if TYPE_CHECKING:
    from ffcore_sweep.search import Searched

JSON, MAPPING = "search.json", "best.yaml"

Minimise = Annotated[str, typer.Option(metavar="NAME", help="edp, energy, latency, area or leak_power.")]
SubjectTo = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CONDITION",
        help="A limit, e.g. 'area <= 40 mm^2': on these, tops, tops_per_W and what is varied (repeatable).",
    ),
]
OutDir = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Also write search.json and the mapping, best.yaml, here.")
]


@spec_command("max_fused_loops", "explorer", "joiner", "model", "cost_model", "executor", arch=Arch)
def search(
    request: Request,
    vary: Vary = None,
    vary_arch: VaryArch = None,
    vary_workload: VaryWorkload = None,
    where: Where = None,
    minimise: Minimise = "edp",
    subject_to: SubjectTo = None,
    jobs: opt.Jobs = None,
    cache: opt.Cache = None,
    out: OutDir = None,
    format: opt.OutputFormat = opt.Format.text,
) -> None:
    """Find the design with the least EDP, energy, latency or area within limits, as a sweep would, with fewer searches.

    Sets of points are bounded by a design that is no worse than any of them: with the largest memories, and the least
    energies, times and leakages. What is bounded by no less than the best that is known is skipped, proven.

    Exit code: 0 found; 1 no design is valid within the limits; 2 bad input; 130 interrupted.
    """
    from ffcore.plugin import as_json, phase, progress_display, write_atomically
    from ffcore_sweep import into_folder as sweep_run
    from ffcore_sweep.chosen import Choice
    from ffcore_sweep.search import of

    given = request.arguments
    axes = sweep_run.axes([f for f in (given.arch, *given.workload) if f], vary, vary_arch, vary_workload)
    load = sweep_run.loader(given, axes)
    with phase("spec"):
        source = load if any(axis.parameter for axis in axes) else load()
        job = of(source, axes, minimise, subject_to or (), Choice(where or ()))
    with progress_display(request.interrupts.check) as progress:
        found = job.run(cache, jobs, None, progress)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(out / JSON, as_json(as_data(found)))
        if found.best is not None and found.best.mappings is not None:
            write_atomically(out / MAPPING, found.best.mappings.to_yaml())
    if found.best is None:
        raise NoValidMappingError(f"no design is valid within the limits; {counts(found)}")
    typer.echo(as_text(found) if format is opt.Format.text else as_json(as_data(found)).rstrip("\n"))


def counts(found: Searched) -> str:
    """How many points there were, and what became of them."""
    parts = f"{found.refused:,} beyond a limit, {found.mapped:,} mapped, {found.skipped:,} skipped"
    return f"{found.points:,} designs: {parts}; {found.bounds:,} sets bounded"


def as_text(found: Searched) -> str:
    """The best design, in units for people."""
    best = found.best
    assert best is not None
    numbers: list[tuple[str, str]] = [(path, show_value(path, value)) for path, value in best.values.items()]
    numbers.append(("energy", format_quantity(best.energy or 0.0, Dimension.ENERGY, 6)))
    numbers.append(("latency", format_quantity(best.latency or 0.0, Dimension.TIME, 6)))
    numbers.append(("EDP (J·s)", f"{best.edp:.6g}"))
    if best.design is not None and best.design.area is not None:
        numbers.append(("area", format_quantity(best.design.area, Dimension.AREA)))
    width = max(len(name) for name, _ in numbers)
    lines = [f"least {found.minimised}"]
    lines += [f"  {name:<{width}}  {value}" for name, value in numbers]
    return "\n".join([*lines, counts(found)])


def as_data(found: Searched) -> dict[str, Any]:
    """Plain data, SI numbers."""
    from ffcore.plugin import encoded

    best = None if found.best is None else {"values": encoded(found.best.values), **encoded(found.best.row())}
    names = ("minimised", "points", "refused", "mapped", "skipped", "bounds")
    return {**{name: getattr(found, name) for name in names}, "best": best}
