"""No field of a spec without an effect: each is read by something, or is said to have none."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest

import ffcore
from ffcore.errors import SpecWarning
from ffcore.spec import Spec
from ffcore.spec.fields import SpecNode
from ffcore.spec.problem import MapperOptions
from ffcore.spec.resolve.job import IGNORED

CORE = Path(ffcore.__file__).parent
SOURCES = {path: path.read_text() for path in CORE.rglob("*.py") if "_scaffold" not in path.parts}


def subclasses(cls: type) -> list[type]:
    return [cls, *(inner for own in cls.__subclasses__() for inner in subclasses(own))]


FIELDS = sorted(
    {(f.name, c.__module__) for c in subclasses(SpecNode) if attrs.has(c) for f in attrs.fields(c) if f.init}
)


@pytest.mark.parametrize(("name", "module"), [f for f in FIELDS if not f[0].startswith("_")])
def test_field_is_read_somewhere(name: str, module: str) -> None:
    own = CORE / Path(*module.split(".")[1:]).with_suffix(".py")
    read = re.compile(rf"\.{name}\b|[\"'.]{name}[\"']")
    defined = re.compile(rf"^    {name}: .*$", re.M)
    places = [p for p, text in SOURCES.items() if read.search(defined.sub("", text) if p == own else text)]
    assert places, f"{module}.{name} is read by nothing"


@pytest.mark.parametrize("name", [f.name for f in attrs.fields(MapperOptions)])
def test_option_of_the_mapper_is_obeyed_refused_or_said_to_be_ignored(name: str) -> None:
    after = {p: text for p, text in SOURCES.items() if p.parent.name not in ("spec", "resolve", "cli")}
    used = any(re.search(rf"options\.{name}\b|[\"']{name}[\"']", text) for text in after.values())
    assert used or f"mapper.ffm.{name}" in IGNORED


@pytest.mark.parametrize("path", IGNORED)
def test_fields_without_effect_are_warned_of_once(path: str) -> None:
    spec = Spec.from_yaml("simple", "matmuls", N_EINSUMS=1, M=2, KN=2)
    spec.set(path, "latency")
    with pytest.warns(SpecWarning, match=f"{path} has no effect") as caught:
        spec.problem()
    assert len(caught) == 1
