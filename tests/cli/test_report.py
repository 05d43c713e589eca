"""``ff report``, and what ``ff map --out`` says of the comparison with no fusion."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from numpy.testing import assert_allclose

from ffcore.api import map_with_pmappings
from ffcore.cli.inputs import load_spec
from ffcore.cli.job import run_map
from ffcore.cli.unfused import unfused
from ffcore.errors import NoValidMappingError
from ffcore.phases import phase
from tests.api.specs import chain, one_matmul
from tests.cli.process import ff_here, write_specs

NO_REPORT = "no report.html: no report renderer is installed (pip install ffcore-html-report)\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of ``ff map --out`` with core's own parts."""
    out = tmp_path / "out"
    files = write_specs(tmp_path)
    done = ff_here("map", *files, "--set", "M=4", "--joiner", "exhaustive", "--no-plugins", "--out", out)
    assert (done.returncode, done.stderr) == (0, NO_REPORT)
    if not (out / "spec.json").exists():
        spec = load_spec(str(files[0]), [str(files[1])], variables=["M=4"], mapper={"joiner": "exhaustive"})
        (out / "spec.json").write_text(json.dumps(spec.to_dict()).replace("Infinity", '".inf"'))
    return out


def test_a_folder_is_made_again(folder: Path) -> None:
    before = {name: (folder / name).read_bytes() for name in ("results.json", "mappings.csv", "mapping_0.yaml")}
    unfused_before = (folder / "no_fusion" / "mapping_0.yaml").read_bytes()
    for name in before.keys() - {"mapping_0.yaml", "results.json"}:
        (folder / name).unlink()
    done = ff_here("report", folder, "--no-plugins")
    assert (done.returncode, done.stderr) == (0, NO_REPORT)
    assert done.stdout.startswith(f"{folder}: 1 mapping; the best takes ")
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert (folder / "no_fusion" / "mapping_0.yaml").read_bytes() == unfused_before


def test_a_folder_is_made_again_elsewhere_under_other_costs(folder: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    costs = ["--spec", "arch.nodes.MainMemory.actions.read.energy=10"]
    assert ff_here("report", folder, "--out", there, *costs, "--no-plugins").returncode == 0
    energy = [json.loads((f / "results.json").read_text())["mappings"][0]["energy"] for f in (folder, there)]
    assert energy[0] < energy[1]


def test_mapping_files_are_reported_together(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "both"
    files = [folder / "mapping_0.yaml", folder / "no_fusion" / "mapping_0.yaml"]
    done = ff_here("report", *write_specs(tmp_path), *files, "--set", "M=4", "--out", out, "--no-plugins")
    assert done.returncode == 0, done.stderr
    found = json.loads((out / "results.json").read_text())["mappings"]
    assert [f["mapping"] for f in found] != [found[0]["mapping"]] * 2
    assert [(out / f"mapping_{i}.yaml").read_text() for i in (0, 1)] == [f.read_text() for f in files]
    assert not (out / "no_fusion").exists()


def test_the_baseline_is_searched_for_where_asked(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "no").mkdir()
    arguments = [*write_specs(tmp_path), folder / "mapping_0.yaml", "--set", "M=4", "--no-plugins"]
    arguments += ["--spec", "mapper.joiner=exhaustive", "--baseline", "--out", tmp_path / "with"]
    assert ff_here("report", *arguments).returncode == 0
    mine, theirs = (f / "no_fusion" / "mapping_0.yaml" for f in (tmp_path / "with", folder))
    assert mine.read_text() == theirs.read_text()


def test_no_baseline_leaves_it_out(tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["--set", "M=4", "--joiner", "exhaustive", "--no-plugins", "--out", out, "--no-baseline"]
    assert ff_here("map", *write_specs(tmp_path), *arguments).returncode == 0
    assert not (out / "no_fusion").exists()
    assert "no fusion" not in json.loads((out / "results.json").read_text())["stats"]["seconds"]


def test_a_bad_folder_or_mapping_is_told_in_a_sentence(folder: Path, tmp_path: Path) -> None:
    specs = write_specs(tmp_path)
    (tmp_path / "empty").mkdir()
    cases = [
        (["report", tmp_path / "empty"], 2, "has no spec.json"),
        (["report", folder, specs[1]], 2, "leave out"),
        (["report", "nosuch"], 2, "there is no folder 'nosuch', and as an architecture: nothing is named 'nosuch'"),
        (["report", folder, "--set", "M=8"], 2, "--spec PATH=VALUE"),
        (["report", *specs, "--set", "M=4"], 2, "there is no mapping"),
        (["report", folder, "--spec", "arch.nodes.GlobalBuffer.size=1"], 1, str(folder / "mapping_0.yaml")),
    ]
    for arguments, code, message in cases:
        done = ff_here(*arguments, "--no-plugins")
        assert (done.returncode, done.stdout) == (code, ""), arguments
        assert message in done.stderr
        assert done.stderr.count("\n") == 1
    (folder / "spec.json").write_text("{")
    assert "is not JSON" in ff_here("report", folder).stderr
    (folder / "spec.json").write_text("[]")
    assert "must hold a mapping" in ff_here("report", folder).stderr


# -- the comparison with no fusion ---------------------------------------------------------------------


def pairs(mappings: object) -> list[tuple[float, float]]:
    return [(e.total_energy, e.total_latency) for e in mappings.evaluations]  # type: ignore[attr-defined]


@pytest.mark.parametrize("joiner", ["ffm", "exhaustive"])
def test_unfused_is_what_a_search_with_all_in_the_outermost_memory_finds(joiner: str) -> None:
    """``exhaustive`` brings its own explorer, so that the spec is mapped a second time; ``ffm`` joins what is there."""
    size = {"n_einsums": 2, "m": 4, "kn": 2} if joiner == "exhaustive" else {}
    spec = chain(bandwidth=8, **size)
    spec.mapper.joiner = joiner
    found, note = unfused(spec, map_with_pmappings(spec, n_jobs=1)[1], jobs=1)
    restricted = chain(bandwidth=8, **size)
    restricted.mapper.joiner = joiner
    restricted.arch.nodes["Main"].constraints.tensors.keep = "All()"
    expected = map_with_pmappings(restricted, n_jobs=1)[0]
    assert note == ""
    assert found is not None
    assert len(found) > 3
    assert_allclose(pairs(found), pairs(expected))
    for evaluation in found.evaluations:
        shared = [r for e in evaluation.evaluations for t, r in e.backing.items() if t.startswith("T")]
        assert {r.component for r in shared} == {"Main"}


def test_where_nothing_can_stay_outside_the_report_says_so() -> None:
    spec = chain()
    spec.arch.nodes["Main"].constraints.tensors.may_keep = "~Intermediates"
    report = run_map(spec, jobs=1, compare_unfused=True)
    assert report.unfused is None
    assert report.unfused_note.startswith("no valid mapping keeps every shared tensor in Main")


def test_where_nothing_is_shared_there_is_nothing_to_compare() -> None:
    report = run_map(one_matmul(1e6), jobs=1, compare_unfused=True)
    assert report.unfused is None
    assert "nothing to fuse" in report.unfused_note


def test_time_of_the_comparison_is_not_booked_on_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    def join(*_: object, **__: object) -> None:
        with phase("join of the comparison"):
            raise NoValidMappingError("none")

    monkeypatch.setattr("ffcore.cli.unfused.join_as", join)
    seconds = run_map(chain(), jobs=1, compare_unfused=True).stats["seconds"]
    assert "no fusion" in seconds
    assert "join of the comparison" not in seconds


def test_evaluating_into_a_folder_leaves_mappings_of_the_user_alone(folder: Path, tmp_path: Path) -> None:
    arch, workload = write_specs(tmp_path)
    text = "# by hand\n" + (folder / "mapping_0.yaml").read_text()
    here = tmp_path / "here"
    here.mkdir()
    for number in (0, 1, 2):
        (here / f"mapping_{number}.yaml").write_text(text)
    files = sorted(here.iterdir())
    arguments = ["evaluate", arch, workload, "--set", "M=4", "--no-plugins", "--out", here]
    done = ff_here(*arguments, here / "mapping_0.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "mapping_0.yaml is an input" in done.stderr
    assert sorted(here.iterdir()) == files
    assert ff_here(*arguments, here / "mapping_1.yaml").returncode == 0
    assert [path.read_text() for path in files[1:]] == [text, text]
