"""The field reference of ``docs/spec.md``, made from the spec classes: ``python -m tests.docs.spec_page docs/spec.md``.

Without a file the tables are printed; with one, they are put between its two marks.
"""

from __future__ import annotations

import enum
import math
import sys
from collections.abc import Iterator
from typing import Any

import attrs

from ffcore.spec.architecture import (
    Action,
    Arch,
    ArchNode,
    Array,
    Branch,
    Component,
    Compute,
    Container,
    Fork,
    Hardware,
    Hierarchical,
    LoopBound,
    Memory,
    Network,
    Spatial,
    TensorHolder,
    TensorRules,
    Toll,
)
from ffcore.spec.config import Config, ModelOptions
from ffcore.spec.fields import Data, Flag, Kind, Many, One, Raw, Table, Tagged, Text, Value, spec_fields
from ffcore.spec.mapper import FFM, Mapper, metric_names
from ffcore.spec.problem import Metric
from ffcore.spec.renames import EinsumRenames, Rename, Renames
from ffcore.spec.spec import Spec
from ffcore.spec.workload import Einsum, TensorAccess, Workload
from tests.docs.marked import put_between, run

BEGIN, END = "<!-- fields: begin -->", "<!-- fields: end -->"

CLASSES: dict[str, tuple[type, ...]] = {
    "Top level": (Spec,),
    "Architecture": (Arch, Memory, Toll, Compute, Container, Network, Array, Hierarchical, Fork),
    "What architecture nodes have in common": (ArchNode, Branch, Hardware, Component, TensorHolder),
    "Parts of architecture nodes": (Action, Spatial, LoopBound, TensorRules),
    "Workload": (Workload, Einsum, TensorAccess),
    "Renames": (Renames, EinsumRenames, Rename),
    "Mapper": (Mapper, FFM),
    "Settings": (Config, ModelOptions),
}
"""Section -> the classes that it describes; every class that a user can write is in one of them."""


def reference() -> str:
    """The tables of all spec classes as markdown."""
    lines: list[str] = []
    for section, classes in CLASSES.items():
        lines += [f"### {section}", ""]
        for cls in classes:
            lines += [*class_table(cls), ""]
    return "\n".join(lines).strip()


def class_table(cls: type) -> Iterator[str]:
    """Heading, summary and table of the fields that the class does not share with its base."""
    summary = (cls.__doc__ or "").strip().splitlines()[0]
    yield f"#### {cls.__name__}"
    yield ""
    bases = [base for base in cls.__bases__ if spec_fields(base)]
    yield summary + "".join(f" It also has the fields of {_link(base)}." for base in bases)
    inherited = {name: field for base in bases for name, field in spec_fields(base).items()}
    own = {name: field for name, field in spec_fields(cls).items() if inherited.get(name) != field}
    if not own:
        return
    yield ""
    yield "| field | content | unit | default | meaning |"
    yield "|---|---|---|---|---|"
    for name, field in own.items():
        meta = field.metadata
        cells = (f"`{name}`", content(meta["kind"]), meta["unit"], default(field), meta["doc"])
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def content(kind: Kind) -> str:
    """What a field holds, in words, with links to the classes."""
    match kind:
        case Value():
            return "expression"
        case Text():
            return "text"
        case Flag():
            return "true or false"
        case One(cls):
            return _link(cls)
        case Many(cls):
            return f"list of {_link(cls)}"
        case Tagged(classes):
            return "list of " + ", ".join(f"`!{name}`" for name in classes())
        case Table(scalar_key):
            return "key → expression" + (f"; one expression stands for `{scalar_key}`" if scalar_key else "")
        case Data() | Raw():
            return "see the meaning"
    raise TypeError(f"no words for {kind!r}")


def default(field: attrs.Attribute[Any]) -> str:
    """What holds where the field is left out; empty where the meaning says so or nothing is there."""
    if field.metadata["required"]:
        return "**required**"
    value = field.default
    if isinstance(value, Metric):
        return f"`{', '.join(metric_names(value)) or 'none'}`"
    if value is None or value == "" or not isinstance(value, bool | int | float | str | enum.Enum):
        return ""
    return "`inf`" if value == math.inf else f"`{value}`"


def updated(page: str) -> str:
    """``page`` with the reference between its marks. Raises ValueError where a mark is missing."""
    return put_between(page, BEGIN, END, reference())


def _link(cls: type) -> str:
    return f"[{cls.__name__}](#{cls.__name__.lower()})"


if __name__ == "__main__":
    run(reference, updated, sys.argv[1:])
