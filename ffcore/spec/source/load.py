"""From files to one tree of nodes: Jinja, YAML, includes and merge keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ffcore.spec.source.nodes import YamlMap


def load_sources(
    files: Sequence[str | Path], jinja_data: Mapping[str, object], allowed_dirs: Sequence[str | Path] = ()
) -> YamlMap:
    """Read YAML files into one mapping of their top-level keys."""
    raise NotImplementedError


def load_text(
    text: str,
    name: str = "<string>",
    jinja_data: Mapping[str, object] | None = None,
    allowed_dirs: Sequence[str | Path] = (),
) -> YamlMap:
    """Read YAML text as if it were the file ``name``."""
    raise NotImplementedError
