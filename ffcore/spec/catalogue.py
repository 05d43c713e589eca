"""What comes with ffcore and its plugins, with a line on each: architectures, workloads, and their parameters."""

from __future__ import annotations

import re
from pathlib import Path

import attrs

from ffcore.plugin import Parameter
from ffcore.spec.library import library_files
from ffcore.units import Dimension, format_quantity

_PARAMETER = re.compile(r"\b([A-Za-z_]\w*)\s*\|\s*default\((.*?)\)\s*[%}]\}(?:[ \t]*#[ \t]*(.*))?")


@attrs.frozen
class ListedParameter:
    """A parameter: of a packaged file (``--set``), or of a registered architecture (``--arch-param``)."""

    name: str
    default: str
    meaning: str


@attrs.frozen
class Listed:
    """An architecture or a workload. ``about``: what its file says at its top; ``plugin``: who registers it, if one."""

    name: str
    summary: str
    parameters: tuple[ListedParameter, ...]
    about: str = ""
    plugin: str = ""


def catalogue(kind: str) -> tuple[Listed, ...]:
    """All architectures (``arches``) or workloads (``workloads``) that have a name, sorted.

    An architecture that a plugin registers under the name of a packaged file is listed once, with its parameters.
    """
    found = {name: _of_file(name, path) for name, path in library_files(kind).items()}
    if kind == "arches":
        for listed in _registered():
            packaged = found.get(listed.name)
            found[listed.name] = listed if packaged is None else attrs.evolve(listed, about=packaged.about)
    return tuple(found[name] for name in sorted(found))


def _of_file(name: str, path: Path) -> Listed:
    text = path.read_text(encoding="utf-8")
    head = re.match(r"(?:#[^\n]*\n)*", text)
    lines = [line.lstrip("#").strip() for line in (head[0] if head else "").splitlines()]
    parameters: dict[str, ListedParameter] = {}
    for parameter, default, meaning in _PARAMETER.findall(text):
        parameters.setdefault(parameter, ListedParameter(parameter, default.strip("\"'"), meaning.strip()))
    return Listed(name, _first_sentence(lines), tuple(parameters.values()), "\n".join(lines).strip())


def _first_sentence(lines: list[str]) -> str:
    """What stands before the first full stop that ends a word, of the first paragraph."""
    paragraph = " ".join(lines[: lines.index("")] if "" in lines else lines)
    return re.split(r"(?<=[^\s.]{2})\.(?:\s|$)", paragraph, maxsplit=1)[0].strip()


def _registered() -> list[Listed]:
    from ffcore import plugin

    found = []
    for record, provider in plugin.current_manager().providers("arch"):
        if isinstance(record, plugin.ArchRecord):
            parameters = tuple(ListedParameter(p.name, default_text(p), p.summary) for p in record.parameters)
            found.append(Listed(record.name, record.summary, parameters, "", provider.distribution))
    return found


def default_text(parameter: Parameter) -> str:
    """The value that holds where none is given, as people write it."""
    value, unit = parameter.default, parameter.unit
    dimension = next((d for d in Dimension if d.value == unit), None)
    if unit and dimension is not None and isinstance(value, int | float) and not isinstance(value, bool):
        return format_quantity(value, dimension, 6)
    return f"{value} {unit}".rstrip()
