"""The bill of materials names what an installation brings."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from tests.supply.audit import bill, installed, licence, resolved, verdict

PLUGINS = sorted(p.parent.name for p in Path(__file__).parents[2].glob("plugins/*/pyproject.toml"))


def test_core_every_plugin_and_all_that_they_need_are_listed() -> None:
    ours = installed()
    assert {"ffcore", *(f"ffcore-{name.replace('_', '-')}" for name in PLUGINS)} <= {n.replace("_", "-") for n in ours}
    found = resolved(ours)
    for distribution in found.values():
        for text in distribution.requires or ():
            need = Requirement(text)
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                assert re.sub(r"[-_.]+", "-", need.name).lower() in found
    assert {"numpy", "numba", "llvmlite", "pyyaml", "jinja2"} <= found.keys()
    assert not {"pytest", "mypy", "ruff"} & found.keys()


def test_the_bill_has_versions_licences_and_hashes() -> None:
    found = resolved(["ffcore"])
    components = {c["name"]: c for c in bill(found)["components"]}
    assert components.keys() == found.keys()
    assert components["numpy"]["version"] == metadata.version("numpy")
    assert components["numpy"]["purl"] == f"pkg:pypi/numpy@{metadata.version('numpy')}"
    assert len(components["numpy"]["properties"][0]["value"]) == 64
    assert "BSD" in str(licence(metadata.distribution("numpy")))
    assert [name for name, d in found.items() if licence(d) is None] == []


def test_what_could_not_be_asked_is_not_clean() -> None:
    clean, faulty, skipped = {"vulns": []}, {"vulns": [{"id": "CVE"}]}, {"skip_reason": "not found on PyPI"}
    assert [verdict(found) for found in ([clean], [clean, faulty], [clean, skipped], [skipped, faulty])] == [0, 1, 2, 1]
