"""The page as text: one file, safe with any names, always the same."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from html.parser import HTMLParser
from typing import Any

import attrs
import pytest

import ffcore as ff
from ffcore import plugin
from ffcore.errors import PluginError
from ffcore.plugin import ReportSubject
from ffcore.render import render_mapping
from ffcore_html_report.gather import gather
from ffcore_html_report.payload import UNFUSED, payload
from plugins.html_report.tests.pages import MARKUP, NASTY, drawn, hostile, mapped, several
from tests.api.specs import one_matmul


class Reader(HTMLParser):
    """Elements with their attributes, the text of scripts, and all other text."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        self.text += " "
        if tag == "script":
            self.scripts.append((dict(attributes), ""))

    def handle_data(self, data: str) -> None:
        if self.elements[-1:] and self.elements[-1][0] == "script" and self.lasttag == "script" and self.cdata_elem:
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        else:
            self.text += data


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def test_the_same_report_gives_the_same_bytes() -> None:
    again = gather(ReportSubject(mapped(), "a chain", unfused=mapped()[-1:], stats=several().stats, run=several().run))
    assert drawn(again) == drawn(several())


def test_the_page_needs_nothing_else() -> None:
    reader = read(drawn(several()))
    for tag, attributes in reader.elements:
        assert "src" not in attributes, tag
        assert attributes.get("href", "data:,") == "data:,", tag
        assert not [name for name in attributes if name.startswith("on")], tag
    assert {tag for tag, _ in reader.elements} >= {"style", "script", "select", "table"}
    assert "@import" not in drawn(several()).split("</style>")[0]
    assert "url(" not in drawn(several()).split("</style>")[0]


def test_the_policy_allows_exactly_the_scripts_within() -> None:
    reader = read(drawn(several()))
    (policy,) = [a["content"] for t, a in reader.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    allowed = re.findall(r"'sha256-([^']+)'", policy)
    run = [text for attributes, text in reader.scripts if attributes.get("type") is None]
    assert [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in run] == allowed
    assert len(run) == 2
    assert not {"http", "https", "*", "'unsafe-eval'"} & set(policy.split())
    assert "script-src 'unsafe-inline'" not in policy


def test_names_are_text() -> None:
    page = drawn(hostile())
    reader = read(page)
    assert {tag for tag, _ in reader.elements} <= {tag for tag, _ in read(drawn(several())).elements}
    assert not [tag for tag, _ in reader.elements if tag in ("img", "a")]
    assert NASTY in reader.text
    assert MARKUP in reader.text
    (embedded,) = [text for attributes, text in reader.scripts if attributes.get("type") == "application/json"]
    assert [t["name"] for t in json.loads(embedded)["tensors"]] == [NASTY, MARKUP, "T"]
    assert not re.search(r"[<>&]", embedded)


def test_the_headline_compares_with_no_fusion() -> None:
    data = several()
    other = data.unfused.points[0]
    text = " ".join(read(drawn(data)).text.split())
    factor = other.edp / data.points[data.best].edp
    assert f"{factor:#.3g}× less than with no fusion" in text
    assert f"Comparison with no fusion: no {NASTY}." in read(drawn(hostile())).text


def test_run_information_is_at_the_foot() -> None:
    text = " ".join(read(drawn(several())).text.split())
    for words in ("versions · ffcore 0.1.0", "spec hash abc", "command ff map", "search · seconds · join 0.5"):
        assert words in text
    assert "running" not in text
    limits = {"counts": {"mappings": 3}, "limits": {"max_fused_loops": ".inf"}, "resumed": []}
    told = " ".join(read(drawn(attrs.evolve(several(), run=limits))).text.split())
    assert "counts · mappings 3" in told
    assert "limits · max fused loops unlimited" in told
    assert "search ·" not in told
    assert "resumed" not in told
    assert 'id="run"' not in drawn(attrs.evolve(several(), run={}, stats={}))


def test_mappings_of_another_spec_are_not_taken_for_the_best_of_this_one() -> None:
    said = "The mappings were found for another specification: for this one there may be better ones."
    assert said not in read(drawn(several())).text
    assert said in read(drawn(attrs.evolve(several(), run={"other_spec": True}))).text


def test_every_detailed_mapping_is_there_as_nested_loops() -> None:
    nests = [a["data-mapping"] for _, a in read(drawn(several())).elements if "data-mapping" in a]
    assert nests == [*(str(i) for i in range(len(mapped()))), UNFUSED]
    assert len(mapped()) > 3
    text = read(drawn(several())).text
    for holder in ("Main", "Buffer"):
        assert holder in text
    trips = {step.trips for d in several().details for step in _loops(d.view.steps)} - {1}
    assert trips
    assert all(f"×{count}" in text for count in trips)
    assert "×1 " not in text


def _loops(steps: Any) -> list[Any]:
    found = [s for s in steps if hasattr(s, "trips")]
    return found + [x for s in steps for branch in getattr(s, "branches", ()) for x in _loops(branch)]


def test_the_page_says_when_mappings_are_left_out() -> None:
    few = gather(ReportSubject(mapped()), max_details=3)
    text = " ".join(read(drawn(few)).text.split())
    assert f"Of the {len(mapped())} mappings, the 3 filled ones" in text
    assert "mappings.csv has all" in text
    assert len(payload(few)["points"]) == len(mapped())


def test_energies_of_the_payload_add_up_and_nothing_is_infinite() -> None:
    def numbers(value: Any) -> list[float]:
        if isinstance(value, dict):
            return [n for item in value.values() for n in numbers(item)]
        if isinstance(value, list):
            return [n for item in value for n in numbers(item)]
        return [value] if isinstance(value, float) else []

    data = payload(several())
    assert all(map(math.isfinite, numbers(data)))
    for key, detail in data["details"].items():
        assert math.fsum(p[4] for p in detail["energy"]) == pytest.approx(detail["point"][0])
        if key != UNFUSED:
            assert data["points"][int(key)] == detail["point"]


def test_a_mapping_of_one_einsum_that_takes_no_time_is_drawn() -> None:
    spec = one_matmul(1024)
    spec.set("arch.nodes.MAC.actions.compute.throughput", "inf")
    page = drawn(gather(ReportSubject(ff.map_workload_to_arch(spec, n_jobs=1), unfused_note="nothing to fuse")))
    assert "Comparison with no fusion: nothing to fuse." in read(page).text


def test_other_formats_and_things_are_refused() -> None:
    renderer = plugin.get("renderer", "html")
    with pytest.raises(PluginError, match="'pdf'"):
        renderer.render("report", several(), "pdf")
    with pytest.raises(PluginError, match="mapping"):
        renderer.render("mapping", several().details[0].view, "html")


def test_pictures_of_mappings_are_not_asked_of_it() -> None:
    with pytest.raises(PluginError, match="no installed renderer writes 'html'"):
        render_mapping(mapped().tree(0)).draw("html")
