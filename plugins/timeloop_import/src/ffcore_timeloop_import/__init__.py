"""Timeloop files (versions 0.2 to 0.4) as native specs: ``ff convert FILE... --from timeloop -o DIR``."""

from ffcore_timeloop_import.convert import Converted, convert, read

__all__ = ["Converted", "convert", "read"]
