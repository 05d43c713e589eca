"""The cost model ``hwcomponents``: its own models where it is installed, and how it fails, with a stand-in."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import ffcore as ff
from ffcore import plugin
from ffcore.errors import PluginError, SpecError
from ffcore.plugin import ComponentQuery
from ffcore_component_costs.library import LibraryCosts

SHARED = Path(__file__).resolve().parents[4] / "shared"
GOLDEN, PEER = SHARED / "golden", SHARED / "peer_more"

LOG = """Can not find an area model for sram(size=8)
Logs for models that could estimate query:
| SRAM with priority 0.3 estimating value:
|  | Exception: CACTI failed with exit code 1. Please check /somewhere/cacti.log for CACTI output. Run command: x
"""


def stand_in(monkeypatch: pytest.MonkeyPatch, **functions: Any) -> list[Any]:
    """A library that notes what it is asked."""
    asked: list[Any] = []

    def action(*arguments: Any) -> Any:
        asked.append(arguments)
        return SimpleNamespace(energy=1e-12, throughput=2e9)

    known = {"get_action_cost": action, "get_area": lambda *_: 3e-9, "get_leak_power": lambda *_: 4e-6} | functions
    monkeypatch.setitem(sys.modules, "hwcomponents", SimpleNamespace(**known))
    return asked


def failing(text: str) -> Any:
    def fail(*_: Any) -> Any:
        raise RuntimeError(text)

    return fail


BUFFER = ComponentQuery(
    "Buffer",
    "SRAM",
    {"size": 8192.0, "tech_node": 65e-9, "n_parallel_instances": 2, "actions.read": {"bits_per_action": 64}},
    ("read", "write"),
)


def test_what_is_asked_and_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = stand_in(monkeypatch)
    found = LibraryCosts().cost(BUFFER)
    attributes = {"size": 8192.0, "tech_node": 65e-9}
    assert asked == [
        ("SRAM", attributes, "read", {"bits_per_action": 64}),
        ("SRAM", attributes, "write", {"bits_per_action": 1}),
    ]
    assert found.energy == {"read": 1e-12, "write": 1e-12}
    assert found.throughput == {"read": 2e9, "write": 2e9}
    assert (found.area, found.leak_power) == (3e-9, 4e-6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            LOG,
            r"^Buffer \(component_class SRAM\): hwcomponents .* cannot tell its read: CACTI failed with exit code 1$",
        ),
        ("no\n\tArgument for ['sram'].__init__ is missing: tech_node. Provided: x", "is missing: tech_node$"),
        ("Component sram is not supported. Supported components: adc, srams, wire", "no model of that class; did you"),
        ("", "it does not say why$"),
    ],
)
def test_models_that_do_not_run(monkeypatch: pytest.MonkeyPatch, text: str, expected: str) -> None:
    stand_in(monkeypatch, get_action_cost=failing(text))
    with pytest.raises(SpecError, match=expected):
        LibraryCosts().cost(BUFFER)


def test_area_that_it_cannot_tell_is_left_out_and_the_reason_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, get_area=failing(LOG))
    found = LibraryCosts().cost(BUFFER)
    assert found.area is None
    assert found.leak_power == 4e-6
    assert "which says: Buffer (component_class SRAM)" in found.source
    assert found.source.endswith("its area: CACTI failed with exit code 1")


def test_attributes_are_numbers_or_words(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch)
    query = ComponentQuery("Buffer", "SRAM", {"kind": "; rm -rf /"}, ("read",))
    with pytest.raises(SpecError, match="the attribute 'kind' must be a number or a single word"):
        LibraryCosts().cost(query)


def test_numbers_that_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, get_action_cost=lambda *_: SimpleNamespace(energy=None, throughput=1.0))
    with pytest.raises(SpecError, match="Buffer: hwcomponents gives None as its energy of read"):
        LibraryCosts().cost(BUFFER)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hwcomponents", None)
    with pytest.raises(PluginError, match=r"needs the library of that name: pip install 'ffcore-component-costs\[hw"):
        plugin.get("cost_model", "hwcomponents")


def test_its_own_models() -> None:
    pytest.importorskip("hwcomponents", reason="hwcomponents is not installed (Python 3.12 and newer)")
    pytest.importorskip("hwcomponents_library", reason="hwcomponents-library is not installed")
    model = LibraryCosts()
    mac = model.cost(
        ComponentQuery("MAC", "IntMAC", {"tech_node": 65e-9, "multiplier_width": 8, "adder_width": 16}, ("compute",))
    )
    # As in golden/costs.json
    assert mac.energy["compute"] == pytest.approx(1.2813796807700769e-12, rel=1e-9)
    assert mac.throughput["compute"] == pytest.approx(615384615.3846153, rel=1e-9)
    assert mac.area == pytest.approx(1.1748028846153846e-09, rel=1e-9)
    assert mac.leak_power == pytest.approx(8.851870775236185e-06, rel=1e-9)
    dram = model.cost(ComponentQuery("DRAM", "LPDDR4", {"tech_node": 65e-9, "size": float("inf")}, ("read", "write")))
    assert dram.energy == pytest.approx({"read": 8e-12, "write": 8e-12})
    assert (dram.area, dram.leak_power) == (0, 0)
    with pytest.raises(SpecError, match=r"^M \(component_class IntMAK\): .* has no model of that class"):
        model.cost(ComponentQuery("M", "IntMAK", {"tech_node": 65e-9}, ("compute",)))


@pytest.mark.skipif(not GOLDEN.is_dir() or not PEER.is_dir(), reason=f"no {GOLDEN} or no {PEER}")
@pytest.mark.parametrize("arch", ["eyeriss", "simba"])
def test_the_peers_architectures_cost_what_the_peer_says(arch: str) -> None:
    pytest.importorskip("hwcomponents_library", reason="hwcomponents-library is not installed (Python 3.12 and newer)")
    spec = ff.Spec.from_yaml(PEER / "arches" / f"{arch}.yaml")
    spec.mapper.cost_model = "hwcomponents"
    try:
        found = {c.name: c for c in spec.costs()}
    except SpecError as error:
        if "CACTI" in str(error):
            pytest.skip("the program of CACTI does not run here")
        raise
    for name, costs in json.loads((GOLDEN / "costs.json").read_text())[arch].items():
        assert found[name].energy == pytest.approx({a: c["energy"] for a, c in costs["actions"].items()}, rel=1e-9)
        assert (found[name].area, found[name].leak_power) == pytest.approx(
            (costs["area"], costs["leak_power"]), rel=1e-9
        )
