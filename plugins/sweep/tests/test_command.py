"""``ff sweep``: its folder, its formats, Ctrl-C and going on."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from ffcore.errors import FFError
from ffcore.spec import Spec
from ffcore_sweep import folder as sweep_folder
from ffcore_sweep import show as sweep_show
from ffcore_sweep.axes import Axis
from ffcore_sweep.result import FAILED, NOTHING, SweepPoint
from tests.api.specs import chain
from tests.cli.process import ff_here, write_specs

SIZE, LOOPS = "arch.nodes.GlobalBuffer.size", "mapper.ffm.max_fused_loops"


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, ...]:
    return tuple(map(str, write_specs(tmp_path)))


def vary(*sizes: str) -> tuple[str, ...]:
    return "--vary", f"{SIZE}={','.join(sizes)}"


def content(folder: Path) -> dict[str, bytes]:
    """All files of a sweep but what was explored."""
    found = [p for p in folder.rglob("*") if p.is_file() and p.parent.name != "pmappings"]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found}


def test_the_folder_and_the_formats(files: tuple[str, ...], tmp_path: Path) -> None:
    out = tmp_path / "out"
    varied = (*vary("16B", "1 KiB"), "--vary", f"{LOOPS}=0,1")
    words = ("sweep", *files, "--set", "M=4", *varied, "--out", out, "--jobs", "1")
    text = ff_here(*words)
    assert text.returncode == 0, text.stderr
    head, *rows = text.stdout.splitlines()
    assert head.split()[:2] == ["GlobalBuffer.size", "max_fused_loops"]
    assert [" ".join(row.split()[:3]) for row in rows[:4]] == ["16 B 0", "16 B 1", "1 KiB 0", "1 KiB 1"]
    assert rows[-1] == f"plot: {out / 'sweep.svg'}"
    assert text.stderr == ""
    before = content(out)
    names = [f"points/{n:03}.{kind}" for n in range(4) for kind in ("json", "yaml")]
    assert sorted(before) == sorted(
        [
            *names,
            "pareto.csv",
            "pareto.parquet",
            "spec.json",
            *(f"sweep.{kind}" for kind in ("csv", "html", "json", "svg")),
        ]
    )

    data = json.loads(ff_here(*words, "--format", "json").stdout)
    saved = json.loads((out / "sweep.json").read_text())
    assert data["points"] == saved["points"]
    assert saved["finished"] is True
    point = data["points"][3]
    assert point["values"] == {SIZE: 8192, LOOPS: 1}
    assert point["edp"] == point["energy"] * point["latency"]
    table = ff_here(*words, "--format", "csv").stdout
    assert table == (out / "sweep.csv").read_text()
    lines = list(csv.DictReader(io.StringIO(table)))
    assert [float(line["energy_J"]) for line in lines] == [p["energy"] for p in data["points"]]
    assert list(lines[0])[:3] == ["point", SIZE, LOOPS]
    assert content(out) == before
    ET.fromstring((out / "sweep.svg").read_text())

    sized = ("--set", "M=4", f"--spec={SIZE}=8192", "--format", "json")
    again = ff_here("evaluate", *files, out / point["mapping"], *sized)
    (mapping,) = json.loads(again.stdout)["mappings"]
    assert (mapping["energy"], mapping["latency"]) == (point["energy"], point["latency"])
    single = json.loads(ff_here("map", *files, *sized, f"--spec={LOOPS}=1").stdout)["mappings"]
    for name in ("energy", "latency"):
        assert [m[name] for m in single] == pytest.approx([m[name] for m in point["mappings"]], rel=1e-12)


def test_a_jinja_parameter_and_no_mapping_at_all(files: tuple[str, ...], tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("sweep", *files, "--vary", "set.M=2,4", "--out", out, "--jobs", "1", "--metrics", "energy")
    done = ff_here(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == ["M", "energy"]
    assert (out / "specs" / "001.json").exists()
    before = content(out)
    (out / "points" / "001.json").unlink()
    assert ff_here("sweep", "--resume", out).returncode == 0
    assert content(out) == before

    keep = ("--spec", "arch.nodes.MainMemory.tensors.may_keep=Nothing", "--max-fused-loops", "0")
    none = ff_here("sweep", *files, "--set", "M=4", *keep, *vary("8b", "16b"), "--out", out, "--jobs", "1")
    assert none.returncode == 1
    assert "8 bit" not in none.stdout.splitlines()[0]
    assert none.stdout.count("GlobalBuffer needs 8 B") == 2
    assert none.stderr.startswith("no valid mapping: no point has one (")
    ET.fromstring((out / "sweep.svg").read_text())
    assert not (out / "points" / "000.yaml").exists()  # of the sweep before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "name an architecture and a workload"),
        (("{arch}", "{workload}"), "nothing is varied"),
        (("{arch}", "{workload}", "--vary", "a", "--vary", "b=1"), "expected PATH=VALUE"),
        (("{arch}", "{workload}", "--set", "M=2", *vary("1", "2 kX")), "unknown unit 'kX'"),
        (("{arch}", "{workload}", "--set", "M=2", *vary("1", "-2")), "must be positive, got -2"),
        (("{arch}", "{workload}", "--set", "M=2", "--vary", "arch.nodes.GlobalBufer.size=1,2"), "did you mean"),
        (("{arch}", "{workload}", "--set", "M=2", *vary(f"1{'0' * 400}")), "larger than any number"),
        (
            ("{arch}", "{workload}", "--set", "M=2", *vary("16B"), "--metrics", "energy,actions"),
            "cannot be optimised for ACTIONS",
        ),
        (("{arch}", "--resume", "nowhere"), "give no other files and options"),
        (("--resume", "nowhere"), "nowhere holds no sweep to go on with"),
    ],
)
def test_mistakes(files: tuple[str, ...], tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    given = [word.format(arch=files[0], workload=files[1]) for word in words]
    out = () if "--resume" in words else ("--out", tmp_path / "out")
    done = ff_here("sweep", *given, *out)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()  # a sweep that was there before is still there


STOPPING = """
import os, signal, sys
from ffcore_sweep import folder as sweep_folder
from ffcore.explore.reuse import cache
where, count, left = {where}, {name!r}, [{after}]
plain = getattr(where, count)
def stopping(self, *args):
    plain(self, *args)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGINT)
setattr(where, count, stopping)
from ffcore.cli.main import main
main()
"""


def stopped(where: str, name: str, after: int, *words: object) -> subprocess.CompletedProcess[str]:
    """``ff`` in a process that gets the signal of Ctrl-C after so many calls of a method."""
    code = STOPPING.format(where=where, name=name, after=after)
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, timeout=120, check=False
    )


def stopped_here(
    patch: pytest.MonkeyPatch, where: object, name: str, after: int, *words: str | Path
) -> subprocess.CompletedProcess[str]:
    """The same without starting a process."""
    plain, left = getattr(where, name), [after]

    def stopping(*args: object, **named: object) -> object:
        result = plain(*args, **named)
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGINT)
        return result

    with patch.context() as patched:
        patched.setattr(where, name, stopping)
        return ff_here(*words)


def test_ctrl_c_and_going_on(files: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("sweep", *files, "--set", "M=2", *vary("16B", "1KiB"), "--vary", f"{LOOPS}=0,inf")
    whole, out = tmp_path / "whole", tmp_path / "part ly"
    assert ff_here(*words, "--jobs", "1", "--out", whole).returncode == 0

    done = stopped("cache.PmappingFiles", "store", 1, *words, "--jobs", "2", "--out", out)
    assert done.returncode == 130
    assert f"0 of 4 points are done; go on with: ff sweep --resume '{out}'" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(list((out / "pmappings").glob("*.npz"))) == 1
    assert not list(out.rglob("*.tmp"))

    again = ("sweep", "--resume", out, "--jobs", "1", "--format", "json")
    done = stopped_here(monkeypatch, sweep_folder.Folder, "write_point", 2, *again)
    assert done.returncode == 130
    assert "2 of 4 points are done" in done.stderr
    partial = json.loads((out / "sweep.json").read_text())
    assert partial["finished"] is False
    assert len(partial["points"]) == 2
    assert len((out / "sweep.csv").read_text().splitlines()) == 3

    done = stopped_here(monkeypatch, sweep_show, "as_csv", 1, *again)  # while the output is written
    assert done.returncode == 130
    assert f"4 of 4 points are done; go on with: ff sweep --resume '{out}'" in done.stderr

    last = ff_here(*again)
    assert last.returncode == 0
    assert len(json.loads(last.stdout)["points"]) == 4
    assert content(out) == content(whole)


def test_damaged_files_of_a_sweep(files: tuple[str, ...], tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert ff_here("sweep", *files, "--set", "M=2", *vary("16B", "inf"), "--out", out, "--jobs", "1").returncode == 0
    before = content(out)
    point = out / "points" / "001.json"
    own = before["points/001.json"].decode()
    for damage, said in (
        ("{", "Expecting"),
        ("[" * 100_000, "too many levels"),
        ("{}", "no 'values'"),
        (before["points/000.json"].decode(), "it is of another sweep"),
        (own.replace('"found"', '"lost"'), "says nothing that makes sense"),
        (own.replace('"best": 0', '"best": Infinity'), "not JSON compliant"),
        (own.replace('"best": 0', '"best": 0.5'), "says nothing that makes sense"),
        (re.sub('("mappings".*?"energy": )[^,]*', r"\1NaN", own, flags=re.DOTALL), "not JSON compliant"),
        (re.sub('("mappings".*?"energy": )[^,]*', r'\1".inf"', own, flags=re.DOTALL), "'.inf' is no number"),
        (re.sub('("mappings".*?"energy": )[^,]*', rf"\g<1>{10**400}", own, flags=re.DOTALL), "too large"),
        (re.sub('"sweep": "[^"]*"', '"sweep": ""', own), "it is of another sweep"),
    ):
        point.write_text(damage)
        done = ff_here("sweep", "--resume", out)
        assert done.returncode == 0
        assert done.stderr.startswith(f"{point} ")
        assert done.stderr.endswith("; this point is mapped again\n")
        assert said in done.stderr
        assert content(out) == before
    (out / "points" / "001.yaml").unlink()
    assert "its mapping is missing" in ff_here("sweep", "--resume", out).stderr
    assert content(out) == before

    plan, spec = before["sweep.json"].decode(), before["spec.json"].decode()
    for name, text, message in (
        ("spec.json", "{", "spec.json is damaged ("),
        ("spec.json", None, "spec.json is missing"),
        ("spec.json", "[" * 100_000, "spec.json is damaged (too many levels)"),
        ("spec.json", spec.replace('"energy": 1', '"energy": 2', 1), "spec.json is not what this sweep began with"),
        ("sweep.json", "[]", "sweep.json is damaged (it is no mapping)"),
        ("sweep.json", "[" * 100_000, "sweep.json is damaged (too many levels)"),
        ("sweep.json", '{"ffcore": "0.0.1", "vary": [], "specs": []}', "was begun with ffcore 0.0.1"),
        ("sweep.json", plan.replace('"spec.json"', '"/etc/passwd"'), "its specs are not those of what it varies"),
        ("sweep.json", plan.replace(f'"{SIZE}"', '"set.N"', 1), "its specs are not those of what it varies"),
        ("sweep.json", plan.replace('"16B"', str(10**400), 1), "larger than any number"),
    ):
        assert text not in (plan, spec)
        if text is None:
            (out / name).unlink()
        else:
            (out / name).write_text(text)
        done = ff_here("sweep", "--resume", out)
        assert done.returncode == 2
        assert message in done.stderr
        (out / name).write_bytes(before[name])

    for name in ("points", "pmappings"):
        (out / name).rename(tmp_path / name)
        (out / name).symlink_to(tmp_path / name)
        words = ("sweep", *files, "--set", "M=4", *vary("16B"), "--out", out)
        for done in (ff_here("sweep", "--resume", out), ff_here(*words)):
            assert done.returncode == 2
            assert f"{out / name} is a symbolic link" in done.stderr
        (out / name).unlink()
        (tmp_path / name).rename(out / name)
    assert content(out) == before

    first = out / "points" / "000.json"
    for file in (out / "points" / "001.json", *list((out / "pmappings").glob("*.npz"))[:1]):
        first.unlink(missing_ok=True)  # else nothing is left to map
        kept = file.read_bytes()
        file.unlink()
        file.mkdir()
        done = ff_here("sweep", "--resume", out)
        assert (done.returncode, done.stderr) == (2, f"{file}: is a folder, where a file is to be written\n")
        assert not first.exists()
        file.rmdir()
        file.write_bytes(kept)
    assert ff_here("sweep", "--resume", out).returncode == 0
    assert content(out) == before


@pytest.fixture
def spec() -> Spec:
    return chain(n_einsums=1)


def folder_of(path: Path, spec: Spec, *axes: Axis) -> sweep_folder.Folder:
    return sweep_folder.new(path, axes, lambda **parameters: spec)


def test_only_the_points_of_the_older_sweep_are_removed(spec: Spec, tmp_path: Path) -> None:
    points = tmp_path / "points"
    points.mkdir()
    names = {"7.yaml", "000.json", "001.yaml", "002.json", "2024-notes.json"}
    for name in names:
        (points / name).write_text("mine")
    folder = folder_of(tmp_path, spec, Axis("arch.nodes.Buffer.size", (800, math.inf)))
    folder.begin()
    assert {p.name for p in points.iterdir()} == names  # there was no sweep
    (tmp_path / "sweep.json").write_text("{}")
    folder.begin()
    assert {p.name for p in points.iterdir()} == names
    assert not folder.read_points(lambda warning: None).numbers
    folder.begin()
    assert {p.name for p in points.iterdir()} == {"7.yaml", "002.json", "2024-notes.json"}


def test_a_sweep_whose_beginning_was_interrupted(spec: Spec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is never a new spec beside the axes of an older sweep."""
    axis = Axis("arch.nodes.Buffer.size", (800, math.inf))
    folder_of(tmp_path, spec, axis).begin()
    assert sweep_folder.opened(tmp_path).axes == (axis,)

    def full(*_: object) -> None:
        raise OSError("disk full")

    spec.set("mapper.ffm.max_fused_loops", 0)
    monkeypatch.setattr(sweep_folder, "write", full)
    with pytest.raises(OSError, match="disk full"):
        folder_of(tmp_path, spec, Axis("arch.nodes.Buffer.size", (8,))).begin()
    with pytest.raises(FFError, match="no sweep to go on with"):
        sweep_folder.opened(tmp_path)


def test_points_that_failed_are_done_again(spec: Spec, tmp_path: Path) -> None:
    folder = folder_of(tmp_path, spec, Axis("arch.nodes.Buffer.size", (8, 16)))
    folder.begin()
    for number, status in enumerate((FAILED, NOTHING)):
        folder.write_point(SweepPoint(number, {"arch.nodes.Buffer.size": (8, 16)[number]}, status, reason="r"))
    warnings: list[str] = []
    assert set(folder.read_points(warnings.append).numbers) == {1}
    assert warnings == []


def test_values_that_only_differ_in_type(tmp_path: Path) -> None:
    specs = {repr(v): chain(n_einsums=n) for v, n in ((True, 1), (1, 2))}
    axes = (Axis("set.FLAG", (True, 1)),)
    folder = sweep_folder.new(tmp_path, axes, lambda FLAG: specs[repr(FLAG)])
    folder.begin()
    for own in (folder, sweep_folder.opened(tmp_path)):
        assert callable(own.source)
        assert [own.source(FLAG=v).hash() for v in (True, 1)] == [specs["True"].hash(), specs["1"].hash()]
    folder.write_point(SweepPoint(0, {"set.FLAG": True}, NOTHING, reason="r"))
    folder.file(0, ".json").rename(folder.file(1, ".json"))
    assert not folder.read_points(lambda warning: None).numbers


def test_text_that_looks_like_infinity_stays_text(spec: Spec, tmp_path: Path) -> None:
    spec.set("arch.nodes.Buffer.size", "inf")
    folder_of(tmp_path, spec, Axis("set.N", ("inf", math.inf, -math.inf))).begin()
    opened = sweep_folder.opened(tmp_path)
    assert opened.axes[0].values == ("inf", math.inf, -math.inf)


def test_reports_of_the_front_and_later_of_all(files: tuple[str, ...], tmp_path: Path) -> None:
    out = tmp_path / "out"
    varied = (*vary("8B", "16B", "inf"), "--front", f"energy,{SIZE}")  # a larger one is no better
    words = ("sweep", *files, "--set", "M=2", *varied, "--out", out, "--jobs", "1")
    assert ff_here(*words, "--reports", "front").returncode == 0
    page = (out / "sweep.html").read_text()
    first = {p.name for p in (out / "reports").iterdir()}
    points = json.loads((out / "sweep.json").read_text())["points"]
    found = {f"{p['point']:03}.html" for p in points if p["mappings"]}
    assert set() < first < found
    for name in found:
        assert (f'href="reports/{name}"' in page) == (name in first)
    (number, *_) = sorted(first)
    report = (out / "reports" / number).read_text()
    assert "GlobalBuffer.size" in report
    assert ff_here("sweep", "--resume", out, "--reports", "all").returncode == 0
    assert {p.name for p in (out / "reports").iterdir()} == found
    assert (out / "reports" / number).read_text() == report
    (out / "points" / number.replace("html", "json")).unlink()
    assert ff_here("sweep", "--resume", out).returncode == 0  # mapped again: its report is gone
    assert {p.name for p in (out / "reports").iterdir()} == found - {number}
    assert ff_here(*words).returncode == 0
    assert not list((out / "reports").iterdir())
