"""The spec loader: one file that holds an architecture or a problem of Timeloop, or both."""

from __future__ import annotations

from pathlib import Path

from ffcore.plugin import SpecData


class Loader:
    """Reads one file of Timeloop's."""

    def load(self, path: Path) -> SpecData:
        """The native spec as plain data. Raises SpecError with the file and what is wrong."""
        from ffcore_timeloop_import.convert import read

        return read([path]).data()
