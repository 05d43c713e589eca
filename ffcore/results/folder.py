"""The folder that ``--out`` asks for: tables, each mapping as YAML, text and picture, and the report.

=================================  =======================================================================
``results.json``                   what the command prints with ``--format json``
``mappings.csv``, ``.parquet``     all columns of ``Mappings.data`` and totals per Einsum, a row for each mapping
``mapping_0.yaml``, ``.txt``       the mapping, as ``ff evaluate`` reads it and as text
``mapping_0.svg``, ``.png``        its picture, where a renderer is installed; of at most 50 mappings
``no_fusion/mapping_0.yaml``       the mappings that the report compares with
``report.html``                    the report, where a report renderer is installed
=================================  =======================================================================

Each file is complete or not there: it is written beside its place and then moved. What an earlier job left behind is
removed before (`ffcore.results.earlier`).
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffcore import plugin
from ffcore.errors import FFError
from ffcore.files import csv_cell, real, write_atomically
from ffcore.plugin import RendererRecord
from ffcore.plugin.known import DISTRIBUTION_OF
from ffcore.results import columns
from ffcore.results.earlier import CSV, NO_FUSION, PARQUET, REPORT, RESULTS, earlier_files, remove_earlier
from ffcore.results.front import chosen, points_of
from ffcore.results.subject import ReportSubject
from ffcore.system import cores

if TYPE_CHECKING:
    import pandas as pd

    from ffcore.render import Rendering
    from ffcore.results import Mappings

INSTALL = f"pip install {DISTRIBUTION_OF['renderer', 'html']}"


def write_folder(
    out: Path,
    mappings: Mappings,
    results: Mapping[str, Any],
    *,
    title: str = "",
    unfused: Mappings | None = None,
    unfused_note: str = "",
    run: Mapping[str, Any] | None = None,
    inputs: Iterable[str | Path] = (),
) -> list[str]:
    """Write all files of ``mappings`` (at least one) and return what could not be done, a sentence each.

    ``results`` is the content of ``results.json``, whose ``stats`` the report shows; ``inputs`` are the files that the
    job has read, which are not removed; for the others see `ReportSubject`. Raises ``OSError`` with the path
    that cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    remove_earlier(out, inputs)
    write_atomically(out / RESULTS, json.dumps(results, indent=2, allow_nan=False) + "\n")
    _write_tables(out, mappings)
    _write_mappings(out, mappings)
    notes = _write_pictures(out, mappings) + _write_unfused(out / NO_FUSION, unfused)
    stats = results.get("stats", {})
    subject = ReportSubject(mappings, title, unfused, unfused_note, dict(stats), dict(run or {}))
    return notes + _write_report(out / REPORT, subject)


def check_inputs(out: Path, mappings: Mappings, inputs: Iterable[str | Path]) -> None:
    """Raise ``FFError`` where `write_folder` would replace an input that is somebody's; call it first."""
    read, ours = {real(name) for name in inputs}, set(earlier_files(out))
    for number in range(len(mappings)):
        path = out / f"mapping_{number}.yaml"
        if real(path) in read and path not in ours and path.read_text() != mappings.to_yaml(number):
            raise FFError(f"{path} is an input, which results in {out} would replace: name another folder")


def _write_tables(out: Path, mappings: Mappings) -> None:
    data = _with_layers(mappings).rename_axis("mapping")
    write_atomically(out / CSV, data.rename(columns=csv_cell).to_csv())
    buffer = io.BytesIO()
    data.to_parquet(buffer)
    write_atomically(out / PARQUET, buffer.getvalue())


def _with_layers(mappings: Mappings) -> pd.DataFrame:
    """All columns, and after the totals those of each Einsum, J and s: ``Einsum<SEP>Total<SEP>energy`` and ``latency``.

    They stand in the files only: sums over columns would count them twice.
    """
    data = mappings.data
    layers: dict[str, list[float]] = {}
    for joint in mappings.evaluations:
        for own in joint.evaluations:
            for what, value in ((columns.ENERGY, own.total_energy), (columns.LATENCY, own.total_latency)):
                layers.setdefault(columns.join(own.einsum, columns.TOTAL, what), []).append(value)
    first = [c for c in data.columns if columns.split(c)[0] == columns.TOTAL]
    import pandas as pd  # only who has tables pays for it

    return pd.concat([data[first], pd.DataFrame(layers, index=data.index), data.drop(columns=first)], axis=1)


def _write_mappings(out: Path, mappings: Mappings) -> None:
    for number in range(len(mappings)):
        write_atomically(out / f"mapping_{number}.yaml", mappings.to_yaml(number))
        write_atomically(out / f"mapping_{number}.txt", f"{mappings.render(number).text}\n")


def _write_pictures(out: Path, mappings: Mappings) -> list[str]:
    """Draw what a renderer can; return what is to be said."""
    numbers = chosen(points_of(mappings))
    formats = [f for f in ("svg", "png") if _renderer("mapping", f)]
    if not formats:
        return []
    jobs = [(number, mappings.render(number)) for number in numbers]
    notes: dict[str, None] = {}
    # The program that draws is another process, so threads do not take turns.
    with ThreadPoolExecutor(cores()) as pool:
        for drawn, problem in pool.map(lambda job: _drawn(job, formats), jobs):
            for name, content in drawn.items():
                write_atomically(out / name, content)
            notes.update(dict.fromkeys(problem))
    if len(numbers) < len(mappings):
        notes[f"pictures: {len(numbers)} of the {len(mappings)} mappings, along the front"] = None
    return list(notes)


def _drawn(job: tuple[int, Rendering], formats: list[str]) -> tuple[dict[str, bytes], list[str]]:
    """File name -> content of one mapping's pictures; as DOT where the program that draws is missing or fails."""
    number, rendering = job
    try:
        return {f"mapping_{number}.{f}": rendering.draw(f) for f in formats}, []
    except FFError as error:
        said = str(error)
    try:
        return {f"mapping_{number}.dot": rendering.draw("dot")}, [f"{said} Pictures are written as .dot instead."]
    except FFError:
        return {}, [said]


def _write_unfused(folder: Path, mappings: Mappings | None) -> list[str]:
    if mappings is None or not len(mappings):
        return []
    if folder.is_symlink():
        return [f"{folder} is a link, which may lead anywhere: the mappings without fusion are not written"]
    folder.mkdir(exist_ok=True)
    for number in range(len(mappings)):
        write_atomically(folder / f"mapping_{number}.yaml", mappings.to_yaml(number))
    return []


def _write_report(path: Path, subject: ReportSubject) -> list[str]:
    """Write the report where something draws it; return what is to be said where nothing does."""
    renderer = _renderer("report", "html")
    if renderer is None:
        return [f"no {path.name}: no report renderer is installed ({INSTALL})"]
    drawn = plugin.get("renderer", renderer).render("report", subject, "html")
    write_atomically(path, drawn)
    return []


def _renderer(kind: str, format: str) -> str | None:
    """The first installed renderer that draws ``kind`` in ``format``."""
    for record in plugin.records("renderer"):
        if isinstance(record, RendererRecord) and kind in record.draws and format in record.formats:
            return record.name
    return None


__all__ = ["check_inputs", "write_folder"]
