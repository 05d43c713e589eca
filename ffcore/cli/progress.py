"""Progress on stderr while a person is watching; silence in pipes and logs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ffcore.plugin import Progress


@contextmanager
def progress_display() -> Iterator[Progress | None]:
    """Yield a callback that shows the latest line beside a spinner, or None when nobody is watching."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    # No thread draws it: a process that has threads must not be forked, so that workers would be threads too.
    with Bars(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as bars:
        task = bars.add_task("reading the spec", total=None)
        bars.refresh()
        yield lambda line: bars.update(task, description=line, refresh=True)
