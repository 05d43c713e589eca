"""The renderer that ffcore asks for reports."""

from __future__ import annotations

from typing import Any

from ffcore.plugin import PluginError, RenderKind, ReportSubject
from ffcore_html_report.gather import gather
from ffcore_html_report.page import page


class HtmlRenderer:
    """Draws reports."""

    def render(self, kind: RenderKind, obj: Any, format: str) -> str:
        """The report as HTML; the same mappings give the same text.

        Raises ``PluginError`` for another kind of thing or another format.
        """
        if format != "html":
            raise PluginError(f"reports come as html, not as {format!r}")
        if kind != "report" or not isinstance(obj, ReportSubject):
            raise PluginError(f"the renderer 'html' draws reports, not a {kind} ({type(obj).__name__})")
        return page(gather(obj))
