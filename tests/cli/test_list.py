"""``ff list``: every packaged file has a summary, and its parameters a meaning."""

from __future__ import annotations

import json

import pytest

from ffcore.spec.catalogue import Listed, catalogue
from ffcore.spec.library import library_files
from tests.cli.process import ff_here

PACKAGED = [(kind, item) for kind in ("arches", "workloads") for item in catalogue(kind)]


@pytest.mark.parametrize(("kind", "item"), PACKAGED, ids=[item.name for _, item in PACKAGED])
def test_summaries_and_parameters(kind: str, item: Listed) -> None:
    assert 20 < len(item.summary) < 160
    assert "\n" not in item.summary
    assert all(p.meaning for p in item.parameters)
    if item.name in library_files(kind):
        assert item.about


def test_the_list_names_what_there_is() -> None:
    done = ff_here("list")
    assert (done.returncode, done.stderr) == (0, "")
    for name in (*library_files("arches"), *library_files("workloads")):
        assert f"\n  {name} " in done.stdout
    assert "BATCH=1, IMAGE=224, STRIDE_IN=3, LAYER=all, BITS=8" in done.stdout
    only = ff_here("list", "workloads").stdout
    assert "resnet50" in only
    assert "eyeriss" not in only


def test_one_with_its_source_and_parameters() -> None:
    done = ff_here("list", "resnet50")
    assert "CVPR 2016" in done.stdout
    assert "    STRIDE_IN = 3  kernel that has a stage's stride" in done.stdout
    data = json.loads(ff_here("list", "simple", "--format", "json").stdout)
    assert data["arches"][0]["parameters"] == [
        {"name": "GlobalBufferSize", "default": "inf", "meaning": "bits of the global buffer"}
    ]
    wrong = ff_here("list", "resnet5")
    assert wrong.returncode == 2
    assert "did you mean 'resnet50'?" in wrong.stderr
