"""What an earlier job of ours left in a folder: only this may be removed, all else is somebody's.

A folder's ``results.json`` tells: of N mappings, ``mapping_0`` to ``mapping_<N-1>`` are ours, and so are the tables,
the report and the mappings in ``no_fusion``. Without one that makes sense, nothing is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ffcore.files import check_places, read_regular, real

RESULTS, CSV, PARQUET, REPORT = "results.json", "mappings.csv", "mappings.parquet", "report.html"
NO_FUSION = "no_fusion"
_SUFFIXES = ("yaml", "txt", "svg", "png", "dot")
_MAPPING = re.compile(r"mapping_(\d+)\.yaml")
_WRITTEN = re.compile(rf"mapping_\d+\.({'|'.join(_SUFFIXES)})")


def mapping_files(folder: Path) -> list[Path]:
    """The mappings in a folder, by number."""
    found = [(int(m[1]), path) for path in folder.glob("mapping_*") if (m := _MAPPING.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def check_folder(out: Path) -> None:
    """Raise ``OSError`` where a folder stands in the place of a file that is to be written into ``out``."""
    mappings = [path.name for path in out.glob("mapping_*") if _WRITTEN.fullmatch(path.name)]
    check_places(out, [RESULTS, CSV, PARQUET, REPORT, *sorted(mappings)])


def earlier_files(out: Path) -> list[Path]:
    """The files in ``out`` that an earlier job wrote as its results. Raises ``OSError`` where it cannot be read."""
    return [path for path in _candidates(out) if path.is_file() or path.is_symlink()]


def remove_earlier(out: Path, inputs: Iterable[str | Path] = ()) -> None:
    """Remove what an earlier job left in ``out``, but no file that this one has read. Raises ``OSError``."""
    kept = {real(name) for name in inputs}
    for path in earlier_files(out):
        if real(path) not in kept:
            path.unlink()
    unfused = out / NO_FUSION
    if unfused.is_dir() and not unfused.is_symlink() and not any(unfused.iterdir()):
        unfused.rmdir()


def _candidates(out: Path) -> Iterator[Path]:
    count = _mappings_in(out / RESULTS)
    if count is None:
        return
    for name in (CSV, PARQUET, REPORT):
        yield out / name
    for number in range(count):
        for suffix in _SUFFIXES:
            yield out / f"mapping_{number}.{suffix}"
    if not (out / NO_FUSION).is_symlink():  # a link may lead to what is not ours
        yield from mapping_files(out / NO_FUSION)
    yield out / RESULTS  # the last one: until then, what is left is known to be ours


def _mappings_in(results: Path) -> int | None:
    try:
        mappings = json.loads(read_regular(results))["mappings"]
        return len(mappings) if all("energy" in m and "mapping" in m for m in mappings) else None
    except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, RecursionError):
        return None
