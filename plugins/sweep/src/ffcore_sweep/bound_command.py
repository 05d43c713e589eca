"""``ff bound``: the least DRAM traffic of a workload for every size of a buffer."""

from __future__ import annotations

import csv
import enum
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import attrs
import typer

from ffcore.plugin import Dimension, Request, bits_text, complete, format_quantity, spec_command
from ffcore.plugin import options as opt

if TYPE_CHECKING:
    from ffcore_sweep.bound import Bound, Stair

CSV, JSON, PLOT = "bound.csv", "bound.json", "bound.svg"


class Format(enum.StrEnum):
    """How stairs are printed on stdout."""

    text = "text"
    json = "json"
    csv = "csv"


Files = Annotated[
    list[str],
    typer.Argument(
        metavar="WORKLOAD...",
        help="Workload, and any further spec files: files or bare names.",
        show_default=False,
        autocompletion=complete.workloads,
    ),
]
MostJoins = Annotated[int, typer.Option(min=1, metavar="N", help="Look at no more than N sizes of the buffer.")]
OutDir = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Also write bound.csv, bound.json and bound.svg here.")
]


@spec_command("executor", "max_fused_loops", "imperfect", files=Files)
def bound(
    request: Request,
    most_joins: MostJoins = 1000,
    jobs: opt.Jobs = None,
    out: OutDir = None,
    format: Annotated[Format, typer.Option("--format", help="How to print it on stdout.")] = Format.text,
) -> None:
    """Say how little a workload must move to and from DRAM, for every size of an on-chip buffer, fused and not fused.

    A staircase: each line is the least size from which on so little traffic will do. No array, no bandwidth and no
    other memory limits it, so that no accelerator with such a buffer does with less, by perfect factors; with
    `--imperfect all` by others neither.

    Exit code: 0 found; 2 bad input; 130 interrupted.
    """
    from ffcore.plugin import as_json, progress_display
    from ffcore_sweep.bound import ARCH, bound_of

    given = request.arguments
    spec = attrs.evolve(given, arch=ARCH, workload=[given.arch, *given.workload]).load()
    with progress_display(request.interrupts.check) as progress:
        found = bound_of(spec, most_joins=most_joins, n_jobs=jobs, progress=progress)
    if out is not None:
        _write(out, found)
    if format is Format.text:
        typer.echo(as_text(found))
    else:
        typer.echo(as_json(as_data(found)).rstrip("\n") if format is Format.json else as_csv(found).rstrip("\n"))


def _write(out: Path, found: Bound) -> None:
    from ffcore.plugin import as_json, write_atomically

    out.mkdir(parents=True, exist_ok=True)
    for name, text in ((CSV, as_csv(found)), (JSON, as_json(as_data(found))), (PLOT, as_svg(found))):
        write_atomically(out / name, text)


def rows_of(found: Bound) -> list[tuple[float, float | None, float, bool]]:
    """(size, traffic fused, traffic not fused, is the size exact) at each size where either changes; bits."""
    begins = {stair.size: stair.exact for stair in found.fused}
    sizes = sorted({*begins, *(stair.size for stair in found.unfused)})
    return [(s, found.traffic(s), found.traffic(s, fused=False), begins.get(s, True)) for s in sizes]


def as_text(found: Bound) -> str:
    """The table, in units for people."""
    lines = [f"{'buffer':>12}  {'DRAM traffic':>14}  {'not fused':>14}"]
    for size, fused, unfused, exact in rows_of(found):
        cells = [_bits(size), _bits(fused), _bits(unfused)]
        note = "" if exact else "  or with less: sizes below were not looked at"
        lines.append(f"{cells[0]:>12}  {cells[1]:>14}  {cells[2]:>14}{note}")
    lines.append(f"algorithmic minimum: {_bits(found.minimum)}, each input and output moved once")
    if not found.exact:
        lines.append("some stairs may begin at smaller sizes: --most-joins looks at more of them")
    return "\n".join(lines)


def _bits(bits: float | None) -> str:
    if bits is None or math.isinf(bits):
        return "-"
    return format_quantity(bits, Dimension.SIZE, 6)


def as_csv(found: Bound) -> str:
    """The same in bits."""
    lines = io.StringIO()
    table = csv.writer(lines, lineterminator="\n")
    table.writerow(["buffer_bit", "traffic_bit", "unfused_traffic_bit", "exact"])
    for size, fused, unfused, exact in rows_of(found):
        table.writerow([bits_number(size), bits_number(fused), bits_number(unfused), exact])
    return lines.getvalue()


def bits_number(bits: float | None) -> str:
    """Bits for machines: nothing where no mapping fits."""
    if bits is None or math.isinf(bits):
        return ""
    return str(int(bits)) if bits == int(bits) else repr(bits)


def as_data(found: Bound) -> dict[str, Any]:
    """Plain data, bits."""

    def stairs(of: Sequence[Stair]) -> list[dict[str, Any]]:
        return [{"buffer_bits": s.size, "traffic_bits": s.traffic, "exact": s.exact} for s in of]

    return {
        "workload": found.workload,
        "algorithmic_minimum_bits": found.minimum,
        "fused": stairs(found.fused),
        "unfused": stairs(found.unfused),
    }


def as_svg(found: Bound) -> str:
    """Both staircases and the minimum, over the size of the buffer."""
    from ffcore.plugin import Line, xy_plot

    byte = 8.0

    def steps(of: Sequence[Stair], last: float) -> tuple[tuple[float, float], ...]:
        points = [(s.size / byte, s.traffic / byte) for s in of]
        return (*points, (last, points[-1][1])) if points else ()

    ends = [s.size / byte for s in (*found.fused, *found.unfused)]
    last = 4 * max(ends, default=1.0)
    lines = [Line("fused", 0, steps(found.fused, last)), Line("not fused", 1, steps(found.unfused, last))]
    if found.minimum and ends:
        lines.append(Line("minimum", 2, ((min(ends), found.minimum / byte), (last, found.minimum / byte)), dashed=True))
    title = f"least DRAM traffic of {found.workload}; minimum {bits_text(found.minimum)}"
    return xy_plot(title, lines, "buffer, bytes", "DRAM traffic, bytes", steps=True)
