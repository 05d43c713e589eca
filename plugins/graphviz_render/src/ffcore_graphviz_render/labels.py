"""Graphviz's HTML-like labels, built so that no name of a spec can end up as markup.

Text enters a label through :func:`text` only, which escapes it; the other functions take and
return :class:`Markup`, so that mypy refuses a plain string.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NewType

Markup = NewType("Markup", str)

MAX_NAME = 80
"""Longer names are cut: a picture is no place for a name of a thousand letters."""

INK = "#1f2933"
FAINT = "#6b7785"


def clean(name: object, longest: int = MAX_NAME) -> str:
    """``name`` without what XML cannot hold (control characters, lone surrogates), cut to ``longest``."""
    kept = "".join(
        " " if unicodedata.category(c) in ("Cc", "Cs", "Cn", "Co", "Cf", "Zl", "Zp") else c for c in str(name)
    )
    return kept if len(kept) <= longest else kept[: longest - 1] + "\u2026"


def text(
    value: object,
    *,
    bold: bool = False,
    italic: bool = False,
    size: int | str = 0,
    colour: str = "",
    longest: int = MAX_NAME,
) -> Markup:
    """``value`` as escaped text; empty text becomes a space, which Graphviz needs between tags."""
    # Graphviz would put the node's name in the place of a backslash and an N, in HTML-like labels too.
    result = html.escape(clean(value, longest), quote=True).replace("\\", "&#92;") or " "
    if bold:
        result = f"<B>{result}</B>"
    if italic:
        result = f"<I>{result}</I>"
    attributes = (f' POINT-SIZE="{size}"' if size else "") + (f' COLOR="{colour}"' if colour else "")
    return Markup(f"<FONT{attributes}>{result}</FONT>" if attributes else result)


def join(parts: Iterable[Markup], separator: str = " ") -> Markup:
    """``parts`` in one line."""
    return Markup(html.escape(separator).join(parts))


def lines(parts: Iterable[Markup], align: str = "center") -> Markup:
    """``parts`` one below the other. Rows of a table: lines of mixed sizes broken by <BR/> overlap."""
    return table([row([cell(part, align=align, cellpadding=1)]) for part in parts])


def cell(content: Markup, **attributes: object) -> Markup:
    """One table cell; attributes as in Graphviz, in lower case."""
    return Markup(f"<TD{_attributes(attributes)}>{content}</TD>")


def row(cells: Iterable[Markup]) -> Markup:
    """One table row."""
    return Markup(f"<TR>{''.join(cells)}</TR>")


def table(rows: Sequence[Markup], **attributes: object) -> Markup:
    """A table of at least one row; no border and no spacing unless asked for."""
    given = {"border": 0, "cellborder": 0, "cellspacing": 0, "cellpadding": 0} | attributes
    return Markup(f"<TABLE{_attributes(given)}>{''.join(rows)}</TABLE>")


def label(content: Markup) -> str:
    """A label as the ``graphviz`` package wants it: in angle brackets, so that it is taken as markup."""
    return f"<{content}>"


def _attributes(attributes: dict[str, object]) -> str:
    return "".join(f' {name.upper()}="{html.escape(clean(value), quote=True)}"' for name, value in attributes.items())
