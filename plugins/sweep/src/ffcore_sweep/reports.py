"""A report for each point of a sweep, or for those on its front, by whatever plugin writes reports."""

from __future__ import annotations

from collections.abc import Set

from ffcore.plugin import (
    FFError,
    ReportSubject,
    evaluate_trees,
    from_yaml,
    get,
    phase,
    read_regular,
    records,
    write_atomically,
)
from ffcore_sweep.command import Reports
from ffcore_sweep.folder import Folder
from ffcore_sweep.page import label_of
from ffcore_sweep.result import Sweep
from ffcore_sweep.run import SweepJob


def renderer() -> str:
    """The name of what writes reports. Raises FFError where nothing does."""
    for record in records("renderer"):
        if "report" in getattr(record, "draws", ()) and "html" in getattr(record, "formats", ()):
            return record.name
    raise FFError("--reports: no report renderer is installed (pip install ffcore-html-report)")


def write(folder: Folder, job: SweepJob, sweep: Sweep, which: Reports, kept: Set[tuple[int, int]]) -> None:
    """Write the reports that are not there yet, each of the best mapping of a point. Raises FFError and OSError.

    ``kept``: the rows on the front, as (place of a point, number of a mapping).
    """
    by = renderer()
    front = {place for place, _ in kept}
    with phase("output"):
        for place, point in enumerate(sweep):
            path = folder.report(point.number)
            if not point.numbers or path.exists() or (which is Reports.front and place not in front):
                continue
            yaml = folder.file(point.number, ".yaml")
            mappings = evaluate_trees(
                job.points[point.number].spec, [from_yaml(read_regular(yaml).decode(), str(yaml))]
            )
            subject = ReportSubject(mappings, label_of(point, folder.axes))
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, get("renderer", by).render("report", subject, "html"))
