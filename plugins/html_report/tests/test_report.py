"""``ff report``, and what ``ff map --out`` says of the comparison with no fusion."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from numpy.testing import assert_allclose

from ffcore.api import map_with_pmappings
from ffcore.cli.job import run_map
from ffcore.cli.unfused import unfused
from ffcore.errors import NoValidMappingError
from ffcore.phases import phase
from tests.api.specs import chain, one_matmul
from tests.cli.process import ff_here, write_specs

NO_REPORT = "no report.html: no report renderer is installed (pip install ffcore-html-report)\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of ``ff map --out`` without pictures and report."""
    out = tmp_path / "out"
    files = write_specs(tmp_path)
    with monkeypatch.context() as context:
        context.setenv("FFCORE_DISABLE_PLUGINS", "ffcore-graphviz-render,ffcore-html-report")
        done = ff_here("map", *files, "--set", "M=4", "--joiner", "exhaustive", "--out", out)
    assert (done.returncode, done.stderr) == (0, NO_REPORT)
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


COSTS = ["--spec", "arch.nodes.MainMemory.actions.read.energy=10"]
OTHER_SPEC = "the mappings were found for another spec: for this one there may be better ones\n"


def held(folder: Path) -> dict[str, Any]:
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in ("results", "run", "spec")}


def energy(folder: Path) -> float:
    return float(held(folder)["results"]["mappings"][0]["energy"])


def test_elsewhere_it_is_no_search_but_all_else_stays(folder: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    assert ff_here("report", folder, "--out", there, "--no-plugins").stderr == NO_REPORT
    here = held(folder)
    assert held(there) == {**here, "run": {**here["run"], "status": "evaluated"}}
    assert (there / "no_fusion" / "mapping_0.yaml").exists()
    done = ff_here("map", "--resume", there)
    assert (done.returncode, done.stdout) == (2, "")
    assert "holds no search to go on with" in done.stderr
    (there / "run.json").unlink()
    assert ff_here("report", there, "--no-plugins").returncode == 0
    assert held(there)["run"]["status"] == "evaluated"


@pytest.mark.parametrize("elsewhere", [True, False])
def test_under_another_spec_nothing_holds_of_what_the_search_said(
    elsewhere: bool, folder: Path, tmp_path: Path
) -> None:
    before, cheap = held(folder), energy(folder)
    assert before["results"]["stats"]["guarantee"] == before["run"]["guarantee"] == "optimal"
    there = tmp_path / "there" if elsewhere else folder
    done = ff_here("report", folder, *COSTS, "--no-plugins", *(["--out", there] if elsewhere else []))
    assert (done.returncode, done.stderr) == (0, NO_REPORT + OTHER_SPEC)
    if elsewhere:
        assert held(folder) == before
    for _ in range(2):  # it stays so when the folder is made again
        assert energy(there) > cheap
        assert held(there)["results"]["stats"] == {}
        assert not {"guarantee", "counts"} & held(there)["run"].keys()
        assert not (there / "no_fusion").exists()
        assert ff_here("report", there, "--no-plugins").stderr == NO_REPORT + OTHER_SPEC


def test_a_model_that_is_named_as_before_changes_nothing(folder: Path) -> None:
    before = held(folder)
    assert ff_here("report", folder, "--model", "default", "--no-plugins").stderr == NO_REPORT
    assert held(folder) == before


def test_without_fusion_the_best_may_be_another_under_another_spec(folder: Path) -> None:
    for more in ([*COSTS, "--baseline"], []):
        assert ff_here("report", folder, *more).returncode == 0
        assert (folder / "no_fusion" / "mapping_0.yaml").exists()


def test_a_folder_of_ff_evaluate_is_made_again(folder: Path, tmp_path: Path) -> None:
    """Also where it was one of ``ff map`` before."""
    for out in (folder, tmp_path / "new"):
        mapping = tmp_path / "mapping.yaml"
        mapping.write_text((folder / "mapping_0.yaml").read_text())
        files = [*write_specs(tmp_path), mapping, "--set", "M=4"]
        assert ff_here("evaluate", *files, *COSTS, "--out", out, "--no-plugins").returncode == 0
        before = held(out), (out / "mapping_0.yaml").read_text(), (out / "mappings.csv").read_text()
        assert (before[0]["run"]["status"], before[0]["run"]["title"]) == ("evaluated", "workload on arch")
        assert ff_here("report", out, "--no-plugins").stderr == NO_REPORT
        assert (held(out), (out / "mapping_0.yaml").read_text(), (out / "mappings.csv").read_text()) == before
        assert "holds no search to go on with" in ff_here("map", "--resume", out).stderr


def test_a_stop_in_the_middle_leaves_no_false_claim(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("ffcore.results.folder.write_folder", lambda *_, **__: 1 / 0)
        assert ff_here("report", folder, *COSTS, "--no-plugins").returncode == 3
    assert held(folder)["results"]["stats"]["guarantee"] == "optimal"
    assert ff_here("report", folder, "--no-plugins").stderr == NO_REPORT + OTHER_SPEC
    assert held(folder)["results"]["stats"] == {}


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
    arguments = [*write_specs(tmp_path), folder / "mapping_0.yaml", "--set", "M=4"]
    arguments += ["--spec", "mapper.joiner=exhaustive", "--baseline", "--out", tmp_path / "with"]
    assert ff_here("report", *arguments).returncode == 0
    mine, theirs = (f / "no_fusion" / "mapping_0.yaml" for f in (tmp_path / "with", folder))
    assert mine.read_text() == theirs.read_text()


def test_no_baseline_leaves_it_out(tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["--set", "M=4", "--joiner", "exhaustive", "--out", out, "--no-baseline"]
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


DAMAGES = [
    ("results.json", b'{"stats": [1]}', "(stats should be a mapping)"),
    ("results.json", b'{"stats": {"a": NaN}}', "results.json is damaged (Out of range"),
    ("results.json", b'{"stats": ' + b'{"a": ' * 400 + b"1" + b"}" * 401, "results.json is damaged (too many levels)"),
    ("run.json", b'{"title": ' + b'{"a": ' * 400 + b"1" + b"}" * 401, "run.json is damaged (too many levels)"),
    ("run.json", b'{"a": ' * 100_000, "run.json is damaged (too many levels)"),
    ("run.json", b"\xff", "run.json is damaged ('utf-8'"),
    ("spec.json", b"{", "spec.json is damaged (Expecting"),
    ("spec.json", b"[]", "spec.json is damaged (it is no mapping)"),
    ("mapping_0.yaml", b"mapping: \xff", "mapping_0.yaml is not UTF-8 text (byte 9)"),
    ("no_fusion/mapping_0.yaml", b"\xff", "mapping_0.yaml is not UTF-8 text (byte 0)"),
]


def test_damaged_files_are_told_in_a_sentence(folder: Path) -> None:
    for name, content, message in DAMAGES:
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(content)
        done = ff_here("report", folder, "--no-plugins")
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert str(folder / name) in done.stderr
        assert message in done.stderr
        assert done.stderr.count("\n") == 1
        (folder / name).write_bytes(whole)


# -- the comparison with no fusion ---------------------------------------------------------------------


def pairs(mappings: object) -> list[tuple[float, float]]:
    return [(e.total_energy, e.total_latency) for e in mappings.evaluations]  # type: ignore[attr-defined]


@pytest.mark.parametrize("joiner", ["ffm", "exhaustive"])
def test_unfused_is_what_a_search_with_all_in_the_outermost_memory_finds(joiner: str) -> None:
    """``exhaustive`` brings its own explorer, so that the spec is mapped a second time; ``ffm`` joins what is there."""
    size = {"n_einsums": 2, "m": 4, "kn": 2} if joiner == "exhaustive" else {}
    spec = chain(bandwidth=8, **size)
    spec.mapper.joiner = joiner
    found, note = unfused(spec, map_with_pmappings(spec, n_jobs=1, whole=True)[1], jobs=1)
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


def test_a_pipe_in_the_place_of_a_mapping_is_not_read_for_ever(folder: Path) -> None:
    (folder / "mapping_0.yaml").unlink()
    os.mkfifo(folder / "mapping_0.yaml")
    done = ff_here("report", folder)
    assert (done.returncode, done.stderr) == (2, f"{folder / 'mapping_0.yaml'}: is no regular file\n")
