"""The folder that ``--out`` asks for: tables, each mapping as YAML, text and picture, and the report.

=================================  =======================================================================
``results.json``                   what the command prints with ``--format json``
``mappings.csv``, ``.parquet``     all columns of ``Mappings.data``, a row for each mapping
``mapping_0.yaml``, ``.txt``       the mapping, as ``ff evaluate`` reads it and as text
``mapping_0.svg``, ``.png``        its picture, where a renderer is installed; of at most 50 mappings
``no_fusion/mapping_0.yaml``       the mappings that the report compares with
``report.html``                    the report, where a report renderer is installed
=================================  =======================================================================

Each file is complete or not there: it is written beside its place and then moved. Files of these names that an
earlier job left behind and that say nothing of this one are removed.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffcore import plugin
from ffcore.files import write_atomically
from ffcore.plugin import RendererRecord
from ffcore.render import MissingProgramError
from ffcore.report.gather import chosen, gather, points_of

if TYPE_CHECKING:
    from ffcore.render import Rendering
    from ffcore.report.types import ReportData
    from ffcore.results import Mappings

RESULTS, CSV, PARQUET, REPORT = "results.json", "mappings.csv", "mappings.parquet", "report.html"
NO_FUSION = "no_fusion"
INSTALL = "pip install ffcore-html-report"
_OURS = re.compile(r"mapping_(\d+)\.(yaml|txt|svg|png|dot)")


def write_folder(
    out: Path,
    mappings: Mappings,
    results: Mapping[str, Any],
    *,
    title: str = "",
    unfused: Mappings | None = None,
    unfused_note: str = "",
    run: Mapping[str, Any] | None = None,
) -> list[str]:
    """Write all files of ``mappings`` (at least one) and return what could not be done, a sentence each.

    ``results`` is the content of ``results.json``, whose ``stats`` the report shows; for the others see
    `ffcore.report.gather`. Raises ``OSError`` with the path that cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    write_file(out / RESULTS, json.dumps(results, indent=2, allow_nan=False) + "\n")
    _write_tables(out, mappings)
    names = _write_mappings(out, mappings)
    notes = _write_pictures(out, mappings, names)
    _remove_others(out, names)
    _write_unfused(out / NO_FUSION, unfused)
    stats = results.get("stats", {})
    data = gather(mappings, title=title, unfused=unfused, unfused_note=unfused_note, stats=stats, run=run)
    return notes + _write_report(out / REPORT, data)


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file so that it is there with all of its content or not at all. Raises OSError."""
    try:
        write_atomically(path, content)
    except OSError as error:  # it names the file beside, or none
        raise OSError(error.errno, error.strerror, str(path)) from error


def _write_tables(out: Path, mappings: Mappings) -> None:
    data = mappings.data.rename_axis("mapping")
    write_file(out / CSV, data.to_csv())
    buffer = io.BytesIO()
    data.to_parquet(buffer)
    write_file(out / PARQUET, buffer.getvalue())


def _write_mappings(out: Path, mappings: Mappings) -> set[str]:
    names = set()
    for number in range(len(mappings)):
        files = {"yaml": mappings.to_yaml(number), "txt": f"{mappings.render(number).text}\n"}
        for suffix, content in files.items():
            write_file(out / f"mapping_{number}.{suffix}", content)
            names.add(f"mapping_{number}.{suffix}")
    return names


def _write_pictures(out: Path, mappings: Mappings, names: set[str]) -> list[str]:
    """Draw what a renderer can; add the names of the files and return what is to be said."""
    numbers = chosen(points_of(mappings))
    formats = [f for f in ("svg", "png") if _renderer("mapping", f)]
    if not formats:
        return []
    jobs = [(number, mappings.render(number)) for number in numbers]
    notes: dict[str, None] = {}
    # The program that draws is another process, so threads do not take turns.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for drawn, problem in pool.map(lambda job: _drawn(job, formats), jobs):
            for name, content in drawn.items():
                write_file(out / name, content)
            names.update(drawn)
            notes.update(dict.fromkeys(problem))
    if len(numbers) < len(mappings):
        notes[f"pictures: {len(numbers)} of the {len(mappings)} mappings, along the front"] = None
    return list(notes)


def _drawn(job: tuple[int, Rendering], formats: list[str]) -> tuple[dict[str, bytes], list[str]]:
    """File name -> content of one mapping's pictures; as DOT where the program that draws is missing."""
    number, rendering = job
    try:
        return {f"mapping_{number}.{f}": rendering.draw(f) for f in formats}, []
    except MissingProgramError as error:
        return {f"mapping_{number}.dot": rendering.draw("dot")}, [f"{error} Pictures are written as .dot instead."]


def _write_unfused(folder: Path, mappings: Mappings | None) -> None:
    names = set()
    for number in range(len(mappings or ())):
        assert mappings is not None
        folder.mkdir(exist_ok=True)
        names.add(f"mapping_{number}.yaml")
        write_file(folder / f"mapping_{number}.yaml", mappings.to_yaml(number))
    _remove_others(folder, names)
    if not names and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _remove_others(folder: Path, names: set[str]) -> None:
    """Remove the mappings of an earlier job that this one has not replaced."""
    for path in list(mapping_files(folder, every_suffix=True)):
        if path.name not in names:
            path.unlink()


def mapping_files(folder: Path, every_suffix: bool = False) -> Iterator[Path]:
    """The mappings (or all their files) in a folder, by number."""
    found = [(int(m[1]), path) for path in folder.glob("mapping_*") if (m := _OURS.fullmatch(path.name))]
    for _, path in sorted(found):
        if every_suffix or path.suffix == ".yaml":
            yield path


def _write_report(path: Path, data: ReportData) -> list[str]:
    """Write the report where something draws it; return what is to be said where nothing does."""
    renderer = _renderer("report", "html")
    if renderer is None:
        path.unlink(missing_ok=True)  # one of an earlier job would tell of other mappings
        return [f"no {path.name}: no report renderer is installed ({INSTALL})"]
    drawn = plugin.get("renderer", renderer).render("report", data, "html")
    write_file(path, drawn)
    return []


def _renderer(kind: str, format: str) -> str | None:
    """The first installed renderer that draws ``kind`` in ``format``."""
    for record in plugin.records("renderer"):
        if isinstance(record, RendererRecord) and kind in record.draws and format in record.formats:
            return record.name
    return None


__all__ = ["NO_FUSION", "REPORT", "mapping_files", "write_file", "write_folder"]
