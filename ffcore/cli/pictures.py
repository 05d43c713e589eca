"""Where a rendering goes: text or a picture on stdout, or into a file."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import typer

from ffcore.errors import FFError, SpecError
from ffcore.files import write_file
from ffcore.render import Rendering, RenderWarning
from ffcore.render.rendering import formats_of

TEXT = "txt"


def need(found: object, key: str) -> None:
    """Raise ``SpecError`` where none of the files holds what is to be shown."""
    if not found:
        raise SpecError.one(f"none of the files has the top-level key {key!r}, which is what is to be shown")


def show(picture: Rendering, output: Path | None, format: str | None) -> None:
    """Write ``picture`` into a file or on stdout, in the format asked for or that of the file's suffix.

    Where a program that draws is missing, DOT is written beside the file instead, and stderr says so. Raises
    ``PluginError`` for a format that nobody writes, ``MissingProgramError`` on stdout.
    """
    wanted = format.lstrip(".").lower() if format else None
    suffix = output.suffix.lstrip(".").lower() if output is not None else TEXT
    if picture.renderer is not None and (wanted or suffix) == TEXT and TEXT not in formats_of(picture.renderer):
        offered = ", ".join(formats_of(picture.renderer)) or "nothing"
        raise FFError(f"renderer {picture.renderer!r} writes {offered}: choose with --format or the suffix of --output")
    if output is None:
        _print(picture, wanted or TEXT)
        return
    if wanted is not None and suffix and suffix != wanted:
        raise FFError(f"--format {wanted} and --output {output} contradict each other: the suffix says what is written")
    if wanted is not None and not suffix:
        write_file(output, picture.draw(wanted))
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RenderWarning)
        picture.save(output)
    for warning in caught:
        typer.echo(str(warning.message), err=True)


def _print(picture: Rendering, format: str) -> None:
    content = picture.draw(format)
    try:
        text = None if b"\0" in content else content.decode()
    except UnicodeDecodeError:
        text = None
    if text is not None:
        typer.echo(text, nl=not text.endswith("\n"))
        return
    if sys.stdout.isatty():
        raise FFError(f"{format} is no text: write it into a file (--output FILE.{format}) or pipe it into a program")
    stream = typer.get_binary_stream("stdout")
    stream.write(content)
    stream.flush()
