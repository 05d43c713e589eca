"""The folder of a run: what it says, what it keeps, and what is said of one that cannot be used."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ffcore as ff
from ffcore.cli import map_run, run_folder
from ffcore.cli.run_folder import Arguments, begin, read
from ffcore.spec import Spec
from ffcore.spec.library import registered_arches
from tests.cli.process import ff_here, write_specs
from tests.spec.shared_examples import PEER, needs_peer_examples

EXHAUSTIVE = ["--explorer", "exhaustive", "--joiner", "exhaustive"]


@pytest.fixture(autouse=True)
def _nothing_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures and reports have tests of their own."""
    monkeypatch.setenv("FFCORE_DISABLE_PLUGINS", "ffcore-graphviz-render,ffcore-html-report")


def map_into(out: Path, *arguments: str | Path) -> Any:
    return ff_here("map", *write_specs(out.parent), "--set", "M=4", *EXHAUSTIVE, "--out", out, *arguments)


def run_json(out: Path) -> Any:
    return json.loads((out / "run.json").read_text())


def contents(out: Path) -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}


def again(spec: Spec, out: Path) -> Spec:
    """The spec of a folder that was begun for ``spec``."""
    begin(out, spec, Arguments("arch"), jobs=None, cache=None)
    text = (out / "spec.json").read_text()
    json.loads(text, parse_constant=pytest.fail)  # strict JSON: no Infinity
    return read(out).spec()


def special(spec: Spec) -> Spec:
    spec.variables["tag"] = 3  # tags are written as keys of that name
    spec.arch.nodes["GlobalBuffer"].size = float("inf")
    spec.mapper.ffm.metrics = "energy_delay_product"
    spec.mapper.joiner_options = {"seed": 3}
    return spec


@pytest.mark.parametrize(
    "make",
    [
        lambda: Spec.from_yaml("tpu_v4i_like", "gpt3_6.7B"),
        lambda: Spec.from_yaml(ff.arch("tpu_v4i_like_constrained"), "gpt3_6.7B"),
        lambda: special(Spec.from_yaml("simple", "matmuls", N_EINSUMS=2, M=8, KN=8)),
    ],
)
def test_a_spec_comes_back_as_it_was(make: Callable[[], Spec], tmp_path: Path) -> None:
    spec = make()
    assert again(spec, tmp_path).problem().spec_hash == spec.problem().spec_hash


def test_there_are_registered_architectures() -> None:
    assert "tpu_v4i_like_constrained" in registered_arches()


@needs_peer_examples
def test_specs_of_the_peer_come_back_as_they_were(tmp_path: Path) -> None:
    seen = 0
    for kind in ("arches", "workloads"):
        for file in sorted((PEER / kind).rglob("*.yaml")):
            try:
                spec = Spec.from_yaml(file)
            except ff.errors.SpecError:  # wants parameters
                continue
            assert again(spec, tmp_path).hash() == spec.hash(), file
            seen += 1
    assert seen > 5


def test_run_json_tells_what_was_run_and_how(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert map_into(out, "--jobs", "2", "--metrics", "energy").returncode == 0
    info = run_json(out)
    assert (info["format"], info["status"], info["error"]) == (1, "done", None)
    assert info["versions"]["ffcore"] == ff.__version__
    assert {"python", "numpy", "numba", "plugins"} <= set(info["versions"])
    assert "ffcore-exhaustive" in info["versions"]["plugins"]
    assert "ffcore-html-report" not in info["versions"]["plugins"]  # disabled
    parameters = info["parameters"]
    assert [parameters[kind] for kind in ("explorer", "joiner", "model")] == ["exhaustive", "exhaustive", "default"]
    assert (parameters["metrics"], parameters["jobs"], parameters["cache"]) == (["energy"], 2, None)
    assert parameters["limits"]["max_fused_loops"] == ".inf"
    assert set(info["seconds"]) >= {"imports", "spec", "explore", "join", "evaluate", "output"}
    assert (info["counts"], info["guarantee"]) == ({"mappings": 1}, "optimal")
    assert info["arguments"]["arch"] == str(tmp_path / "arch.yaml")
    assert info["started"] <= info["ended"]
    assert info["spec_hash"] == read(out).spec().hash()
    assert not list(out.glob(".*.tmp"))


def test_the_report_is_given_what_is_known_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ffcore.cli import output

    seen: list[Any] = []
    write = output.write
    monkeypatch.setattr(output, "write", lambda report, out: (seen.append(dict(report.run)), write(report, out)))
    assert map_into(tmp_path / "out").returncode == 0
    (run,) = seen
    assert (run["status"], run["counts"], run["guarantee"]) == ("running", {"mappings": 1}, "optimal")
    assert run["seconds"]["explore"] > 0


def test_a_run_that_fails_says_so_and_can_go_on(tmp_path: Path) -> None:
    out = tmp_path / "out"
    narrow = ["--set", "SIZE=1", "--spec", "arch.nodes.MainMemory.tensors.may_keep=Nothing"]
    done = map_into(out, *narrow)
    assert done.returncode == 1
    info = run_json(out)
    assert info["status"] == "no_valid_mapping"
    assert f"no valid mapping: {info['error']}\n" == done.stderr
    resumed = ff_here("map", "--resume", out)
    assert (resumed.returncode, resumed.stderr) == (1, done.stderr)

    other = tmp_path / "other"
    done = map_into(other, "--spec", "arch.nodes.MainMemory.size=-1")
    assert done.returncode == 2
    info = run_json(other)
    assert (info["status"], info["error"] + "\n") == ("failed", done.stderr)


def test_bad_arguments_leave_an_earlier_run_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert map_into(out).returncode == 0
    before = contents(out)
    assert map_into(out, "--spec", "mapper.joyner=x").returncode == 2
    assert contents(out) == before


def test_results_of_another_spec_are_not_mixed_in(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert map_into(out).returncode == 0
    (out / "no_fusion").mkdir(exist_ok=True)
    stale = ["mapping_0.svg", "mappings.csv", "report.html", "no_fusion/mapping_0.yaml"]
    mine = ["mapping_of_mine.yaml", "notes.txt", "mapping_1.py", "mapping_7.yaml"]  # there was one mapping
    for name in [*stale, *mine]:
        (out / name).write_text("old")
    assert map_into(out).returncode == 0  # the same spec: its files are what they were
    assert all((out / name).exists() for name in mine)
    done = map_into(out, "--spec", "arch.nodes.MainMemory.actions.read.energy=10")
    assert done.returncode == 0
    assert not [name for name in stale if (out / name).exists() and (out / name).read_text() == "old"]
    assert all((out / name).read_text() == "old" for name in mine)
    assert (out / "mapping_0.yaml").exists()


@pytest.mark.parametrize(
    "given", [["arch.yaml"], ["--set", "M=3"], ["--metrics", "energy"], ["--out", "x"], ["--joiner", "ffm"]]
)
def test_resume_takes_no_other_job(given: list[str], tmp_path: Path) -> None:
    done = ff_here("map", *given, "--resume", tmp_path)
    name = "ARCH" if given == ["arch.yaml"] else given[0]
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"--resume goes on with the spec and options of its folder: leave out {name}\n"


def _changed(**changes: Any) -> Callable[[Path], None]:
    def change(out: Path) -> None:
        (out / "run.json").write_text(json.dumps({**run_json(out), **changes}))

    return change


def _spec(text: str) -> Callable[[Path], Any]:
    return lambda out: (out / "spec.json").write_text(text)


def _other_size(out: Path) -> None:
    data = json.loads((out / "spec.json").read_text())
    data["arch"]["nodes"][1]["size"] = 12345
    (out / "spec.json").write_text(json.dumps(data))


DEEP = "[" * 100_000

DAMAGES: list[tuple[Callable[[Path], Any], str]] = [
    (lambda out: (out / "run.json").unlink(), "holds no run to go on with: there is no run.json"),
    (lambda out: (out / "run.json").write_text("{"), "run.json is damaged (Expecting"),
    (lambda out: (out / "run.json").write_bytes(b"\xff"), "run.json is damaged ('utf-8'"),
    (lambda out: (out / "run.json").write_text(DEEP), "run.json is damaged (too many levels)"),
    (lambda out: (out / "run.json").write_text("[" * 400 + "]" * 400), "run.json is damaged (too many levels)"),
    (lambda out: (out / "run.json").write_text('{"title": "\\ud800"}'), "run.json is damaged ('utf-8'"),
    (_changed(jobs=float("nan")), "run.json is damaged (Out of range"),
    (_changed(status="evaluated"), "holds no search to go on with, only mappings that were evaluated"),
    (lambda out: (out / "run.json").write_text("[]"), "run.json is damaged (it is no mapping)"),
    (lambda out: (out / "run.json").write_text("{}"), "run.json is damaged ('versions' is missing)"),
    (_changed(arguments={"arch": 3}), "run.json is damaged (arch should be text)"),
    (_changed(arguments={"arch": "a", "mapper": {"x": []}}), "run.json is damaged (mapper should be texts by name)"),
    (_changed(arguments={"arch": "a", "shell": "rm"}), "run.json is damaged ("),
    (_changed(status="fine"), "run.json is damaged (its status makes no sense)"),
    (_changed(status=[]), "run.json is damaged (its status makes no sense)"),
    (_changed(spec_hash=3), "run.json is damaged (spec_hash should be text)"),
    (_changed(versions={"ffcore": "0.0.1"}), f"was written by ffcore 0.0.1, and this is {ff.__version__}"),
    (_changed(format=2), "was written by ffcore"),
    (lambda out: (out / "spec.json").unlink(), "spec.json is missing"),
    (_spec("{"), "spec.json is damaged (Expecting"),
    (_spec("[]"), "spec.json is damaged (it is no mapping)"),
    (_spec(DEEP), "spec.json is damaged (too many levels)"),
    (_spec('{"workload": {"einsums": ' + "[" * 400 + "]" * 400 + "}}"), "spec.json is "),
    (_spec('{"arhc": {}}'), "spec.json is damaged (unknown field 'arhc' of Spec"),
    (_other_size, "spec.json is not what this run began with"),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "out"
    assert map_into(out).returncode == 0
    return out


def test_resuming_compares_with_no_fusion_as_the_run_was_asked_to(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert map_into(out, "--no-baseline").returncode == 0
    assert ff_here("map", "--resume", out).returncode == 0
    assert not (out / "no_fusion").exists()
    assert map_into(out).returncode == 0
    assert (out / "no_fusion").exists()
    assert ff_here("map", "--resume", out, "--no-baseline").returncode == 0
    assert not (out / "no_fusion").exists()


@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_a_folder_that_cannot_be_used_is_told_in_one_sentence(
    damage: Callable[[Path], Any], message: str, whole: Path, tmp_path: Path
) -> None:
    for name in ("run.json", "spec.json"):
        (tmp_path / name).write_bytes((whole / name).read_bytes())
    damage(tmp_path)
    done = ff_here("map", "--resume", tmp_path)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert len(done.stderr) < 400


def test_resuming_takes_the_option_no_plugins_from_the_run(tmp_path: Path) -> None:
    """Core alone has nothing that joins two Einsums; with plugins the same run would succeed."""
    out = tmp_path / "out"
    first = ff_here("map", *write_specs(tmp_path), "--set", "M=4", "--no-plugins", "--out", out)
    again = ff_here("map", "--resume", out, "--jobs", "1", "--profile")
    for done in (first, again):
        assert (done.returncode, "ffcore-ffm-joiner is disabled" in done.stderr) == (2, True)
    info = run_json(out)
    assert (info["versions"]["plugins"], info["parameters"]["jobs"]) == ({}, 1)


def test_the_end_is_written_down_even_if_the_reader_of_the_output_has_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ffcore.cli import output
    from ffcore.cli.interrupt import Interrupts

    def show(report: Any, *_: Any) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(output, "show", show)
    arguments = Arguments(str(write_specs(tmp_path)[0]), [str(tmp_path / "workload.yaml")], ["M=4"])
    arguments = run_folder.attrs.evolve(arguments, mapper={"explorer": "exhaustive", "joiner": "exhaustive"})
    with pytest.raises(BrokenPipeError):
        map_run.run(arguments, map_run.Wanted(jobs=1, out=tmp_path / "out"), Interrupts())
    assert run_json(tmp_path / "out")["status"] == "done"


def test_a_pipe_or_a_folder_in_the_place_of_a_file_is_told_before_any_search(tmp_path: Path) -> None:
    for name, make in (("results.json", os.mkfifo), ("mapping_3.svg", os.mkdir)):
        out = tmp_path / name.replace(".", "_") / "out"
        out.mkdir(parents=True)
        make(out / name)
        done = map_into(out)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"{out / name}: is ")
        assert not (out / "spec.json").exists()


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_in_the_place_of_pmappings_is_told_before_anything_is_explored(tmp_path: Path, resume: bool) -> None:
    out, files = tmp_path / "out", [*write_specs(tmp_path), "--set", "M=4", "--jobs", "1"]
    assert ff_here("map", *files, "--out", out).returncode == 0
    taken, *others = sorted((out / "pmappings").glob("*.npz"))
    assert others
    for file in (taken, *others):
        file.unlink()
    taken.mkdir()
    done = ff_here("map", "--resume", out) if resume else ff_here("map", *files, "--out", out)
    assert (done.returncode, done.stderr) == (2, f"{taken}: is a folder, where a file is to be written\n")
    assert list((out / "pmappings").iterdir()) == [taken]


@pytest.mark.parametrize("resume", [False, True])
def test_pmappings_are_not_kept_behind_a_link(tmp_path: Path, resume: bool) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    files = [*write_specs(tmp_path), "--set", "M=4", "--jobs", "1"]
    out.mkdir()
    other.mkdir()
    if resume:
        assert ff_here("map", *files, "--out", out).returncode == 0
        shutil.rmtree(out / "pmappings")
    (out / "pmappings").symlink_to(other)
    done = ff_here("map", "--resume", out) if resume else ff_here("map", *files, "--out", out)
    assert (done.returncode, done.stderr) == (2, f"{out}/pmappings: is a link, which may lead anywhere: remove it\n")
    assert not list(other.iterdir())
