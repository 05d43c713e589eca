"""What this distribution registers."""

from __future__ import annotations

from collections.abc import Iterable

from ffcore.plugin import CommandRecord, RendererRecord, hookimpl


@hookimpl
def ffcore_renderers() -> Iterable[RendererRecord]:
    """Reports as web pages."""
    yield RendererRecord(
        "html",
        "reports as one self-contained HTML file",
        "ffcore_html_report.renderer:HtmlRenderer",
        formats=("html",),
        draws=("report",),
    )


@hookimpl
def ffcore_commands() -> Iterable[CommandRecord]:
    """``ff report``."""
    yield CommandRecord(
        "report", "Write the report of mappings that are there already.", "ffcore_html_report.command:report"
    )
