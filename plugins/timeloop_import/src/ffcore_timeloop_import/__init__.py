"""Timeloop files (versions 0.2 to 0.4) as native specs: ``ff convert FILE... --from timeloop -o DIR``.

In Python ``ffcore_timeloop_import.convert`` has ``read(files)`` and ``convert(files, out)``.
"""
