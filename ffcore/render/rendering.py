"""A picture or text of a workload, an architecture or a mapping, made when it is asked for."""

from __future__ import annotations

import html
import warnings
from collections.abc import Callable
from pathlib import Path

import attrs

from ffcore import plugin
from ffcore.errors import FFError, PluginError, suggest
from ffcore.files import write_file
from ffcore.plugin import RendererRecord, RenderKind
from ffcore.plugin.known import DISTRIBUTION_OF

TEXT_SUFFIX = "txt"
_INSTALL = f"pip install {DISTRIBUTION_OF['renderer', 'graphviz']}"


class MissingProgramError(FFError):
    """A renderer needs a program that is not on this machine; says in one sentence how to get it."""


class RenderWarning(UserWarning):
    """A picture could not be drawn as asked and something else was written in its place."""


def formats_of(renderer: str) -> tuple[str, ...]:
    """What an installed renderer writes. Raises ``PluginError`` for one that is not installed."""
    record = plugin.current_manager().record("renderer", renderer)
    return record.formats if isinstance(record, RendererRecord) else ()


@attrs.frozen(repr=False, eq=False)
class Rendering:
    """One thing to show: text always, pictures where a renderer plugin is installed.

    ``kind`` is ``workload``, ``arch`` or ``mapping``; ``obj`` is what is drawn; ``renderer`` names the plugin to
    use (by default the first installed one that knows the format asked for). Jupyter shows the picture,
    or the text where there is no renderer.
    """

    kind: RenderKind
    obj: object
    make_text: Callable[[], str]
    renderer: str | None = None

    @property
    def text(self) -> str:
        """The thing as text, for a terminal."""
        return self.make_text()

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def draw(self, format: str) -> bytes:
        """The file content in ``format`` (``txt`` or what a renderer offers).

        Text is made here where the renderer named does not offer it, or none is named. Raises ``PluginError`` where no
        installed renderer writes the format, ``MissingProgramError`` where it needs a program that is missing.
        """
        if format == TEXT_SUFFIX and (self.renderer is None or TEXT_SUFFIX not in formats_of(self.renderer)):
            return self.text.encode() + b"\n"
        drawn = plugin.get("renderer", self._renderer_for(format)).render(self.kind, self.obj, format)
        return drawn.encode() if isinstance(drawn, str) else drawn

    def save(self, path: str | Path) -> Path:
        """Write the file that ``path``'s suffix asks for (``.svg``, ``.png``, ``.dot``, ``.txt``); returns its path.

        Where the program that draws is missing, the ``.dot`` file is written beside ``path`` instead and a
        ``RenderWarning`` says how to install it. Raises ``PluginError`` for a format that nobody writes.
        """
        target = Path(path)
        format = target.suffix.lstrip(".").lower()
        if not format:
            raise PluginError(f"{target} has no suffix that says what to write, such as .svg or .txt")
        try:
            content = self.draw(format)
        except MissingProgramError as error:
            target = target.with_suffix(".dot")
            content = self.draw("dot")
            warnings.warn(RenderWarning(f"{error} Wrote {target} instead."), stacklevel=2)
        write_file(target, content)
        return target

    def _renderer_for(self, format: str) -> str:
        if self.renderer is not None:
            offered = formats_of(self.renderer)
            if format not in offered:
                message = f"renderer {self.renderer!r} writes {', '.join(offered) or 'nothing'}, not {format!r}"
                raise PluginError(message)
            return self.renderer
        records = [r for r in plugin.records("renderer") if isinstance(r, RendererRecord) and self.kind in r.draws]
        for record in records:
            if format in record.formats:
                return record.name
        formats = sorted({f for record in records for f in record.formats} | {TEXT_SUFFIX})
        if not records:
            raise PluginError(f"no renderer is installed, so only text can be written: {_INSTALL} for {format}")
        guess = suggest(format, formats)
        hint = f"; did you mean {guess!r}?" if guess else ""
        raise PluginError(f"no installed renderer writes {format!r}, only {', '.join(formats)}{hint}")

    @property
    def html(self) -> str:
        """For use within other HTML: the picture, or the text where none can be drawn."""
        picture = self._repr_svg_()
        if picture is None:
            return f"<pre>{html.escape(self.text)}</pre>"
        return picture[picture.find("<svg") :]  # what stands before is for a file of its own

    def _repr_svg_(self) -> str | None:
        try:
            return self.draw("svg").decode()
        except FFError:
            return None  # Jupyter goes on with the HTML or the text

    def _repr_html_(self) -> str | None:
        # Jupyter prefers HTML to SVG, so there is none where a picture can be drawn.
        return None if self._repr_svg_() is not None else self.html
