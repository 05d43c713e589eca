"""A name in every place that a name can stand is text in the report, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from html.parser import HTMLParser
from typing import Any

import pytest

import ffcore as ff
from ffcore.errors import SpecError
from ffcore.plugin import ReportSubject
from ffcore.spec.spec import spec_from_data
from ffcore_html_report.gather import gather
from plugins.html_report.tests.pages import drawn

MARKS = [
    "</script><script>window.ran=1</script>",
    "<img src=x onerror=window.ran=1>",
    '"><svg onload=window.ran=1>',
    "'-window.ran-'",
    "<!--<script>",
    "{{7*7}}{% raw %}",
    "javascript:window.ran=1",
    "&lt;b&gt;&#x3c;i>",
    "%{x}${y}\\u003cb\\u003e",
    "</style><style>*{display:none}",
    "=HYPERLINK(1)",
]
TAGS_AND_ATTRIBUTES = re.compile(r"^[a-z][a-z0-9-]*$")


class Elements(HTMLParser):
    """All elements with the names of their attributes, and where they lead."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[tuple[str, tuple[str, ...]]] = set()
        self.scripts = 0
        self.leads: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.add((tag, tuple(sorted(name for name, _ in attributes))))
        self.scripts += tag == "script"
        self.leads |= {str(value) for name, value in attributes if name in ("href", "src", "action", "srcset")}

    def handle_data(self, data: str) -> None:
        self.text += data


def spec_data() -> dict[str, Any]:
    """A chain of two products on two memories and an array, as plain data."""
    actions = [{"name": n, "energy": 1, "throughput": 100} for n in ("read", "write")]
    memory = {"tag": "Memory", "size": 4096, "leak_power": 0, "area": 0, "actions": actions}
    nodes = [
        {**memory, "name": "Main", "tensors": {"keep": "~Intermediates", "may_keep": "All"}},
        {**memory, "name": "Buffer", "tensors": {"keep": "All"}},
        {"tag": "Container", "name": "Array", "spatial": [{"name": "X", "fanout": 2, "may_reuse": "All"}]},
        {"tag": "Compute", "name": "MAC", "actions": [{"name": "compute", "energy": 1, "throughput": 1}]},
    ]
    nodes[3] |= {"leak_power": 0, "area": 0}

    def access(name: str, *ranks: str, output: bool = False) -> dict[str, Any]:
        return {"name": name, "projection": list(ranks), **({"output": True} if output else {})}

    first = [access("A", "m", "k"), access("B", "k", "n"), access("C", "m", "n", output=True)]
    second = [access("C", "m", "n"), access("D", "n", "p"), access("F", "m", "p", output=True)]
    einsums = [{"name": "E0", "tensor_accesses": first}, {"name": "E1", "tensor_accesses": second}]
    sizes = {"M": 4, "K": 2, "N": 2, "P": 2}
    return {
        "arch": {"nodes": nodes},
        "workload": {"rank_sizes": sizes, "bits_per_value": {"All": 8}, "einsums": einsums},
    }


def renamed(mark: str, *places: str) -> dict[str, Any]:
    """The data with the mark in the names at these places."""
    data = spec_data()
    nodes, einsums = data["arch"]["nodes"], data["workload"]["einsums"]
    for place in places:
        if place == "memory":
            nodes[1]["name"] = f"Buffer{mark}"
        elif place == "container":
            nodes[2]["name"] = f"Array{mark}"
        elif place == "dimension":
            nodes[2]["spatial"][0]["name"] = f"X{mark}"
        elif place == "compute":
            nodes[3]["name"] = f"MAC{mark}"
        elif place == "einsum":
            einsums[0]["name"] = f"E0{mark}"
        elif place == "tensor":
            einsums[0]["tensor_accesses"][2]["name"] = einsums[1]["tensor_accesses"][0]["name"] = f"C{mark}"
            einsums[0]["tensor_accesses"][0]["name"] = f"A{mark}"
    return data


def page_of(data: dict[str, Any], **about: Any) -> str:
    return drawn(gather(ReportSubject(ff.map_workload_to_arch(spec_from_data(data, "names"), n_jobs=1), **about)))


@cache
def harmless() -> Elements:
    """What the page has where no name is hostile."""
    return elements(page_of(spec_data(), **told("x")))


def elements(page: str) -> Elements:
    parser = Elements()
    parser.feed(page)
    return parser


def told(mark: str) -> dict[str, Any]:
    """All that a report says besides its mappings."""
    run = {
        "versions": {"ffcore": mark, mark: "1", "plugins": {mark: mark}},
        "command": ["ff", "map", mark],
        "status": mark,
        "spec_hash": mark,
        "parameters": {"joiner": mark, "limits": {mark: mark}, mark: [mark]},
        "resumed": [mark],
        "guarantee": mark,
        "counts": {mark: 1},
        mark: mark,
    }
    stats = {"guarantee": mark, "seconds": {mark: 0.5}, mark: mark}
    return {"title": mark, "unfused_note": mark, "run": run, "stats": stats}


def places() -> Iterator[tuple[str, Callable[[str], str]]]:
    for place in ("memory", "container", "dimension", "compute", "einsum", "tensor"):
        yield place, lambda mark, place=place: page_of(renamed(mark, place), **told("x"))  # type: ignore[misc]
    yield "what is told", lambda mark: page_of(spec_data(), **told(mark))


def check(page: str, mark: str) -> None:
    """The mark is in the page as text, and nothing else is there that is not always there."""
    found, usual = elements(page), harmless()
    assert {tag for tag, _ in found.found} <= {tag for tag, _ in usual.found}
    names = {name for _, attributes in found.found for name in attributes}
    assert names <= {name for _, attributes in usual.found for name in attributes}
    assert not [name for name in names if name.startswith("on") or not TAGS_AND_ATTRIBUTES.match(name)]
    assert found.scripts == usual.scripts
    assert found.leads <= usual.leads
    (embedded,) = re.findall(r'<script[^>]*type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert mark in found.text + json.dumps(json.loads(embedded), ensure_ascii=False).replace('\\"', '"')
    assert not re.search(r"[<>&]", embedded)


@pytest.mark.parametrize(("place", "make"), places(), ids=[place for place, _ in places()])
def test_every_place_holds_all_marks_as_text(place: str, make: Callable[[str], str]) -> None:
    check(make(" ".join(MARKS)), MARKS[0])


@pytest.mark.parametrize("mark", MARKS, ids=range(len(MARKS)))
def test_each_mark_in_all_places_at_once(mark: str) -> None:
    everywhere = renamed(mark, "memory", "container", "dimension", "compute", "einsum", "tensor")
    check(page_of(everywhere, **told(mark)), mark)


def test_ranks_and_rank_variables_are_names() -> None:
    data = spec_data()
    data["workload"]["einsums"][0]["tensor_accesses"][0]["projection"] = ["<b>", "k"]
    with pytest.raises(SpecError, match="is no rank variable"):
        spec_from_data(data, "names")
    data["workload"]["einsums"][0]["tensor_accesses"][0]["projection"] = {"<b>": "m", "K": "k"}
    with pytest.raises(SpecError, match="is no name of a rank"):
        spec_from_data(data, "names")
