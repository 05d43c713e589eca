"""``ff explain``: exit codes, text and JSON, interruption, joiners."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ffcore.errors import FFError
from ffcore_explain.inquiry import Inquiry
from tests.cli.process import ff, ff_here, write_specs
from tests.diagnose.specs import ANY, arch, array, buffered, matmuls, memory

pytest.importorskip("ffcore_ffm_joiner", reason="the plugin ffm_joiner is not installed")

LEAVE = "keep: ~Intermediates, may_keep: Nothing"
TIGHT = buffered("{{ SIZE }}", main=LEAVE) + matmuls(2) + "mapper: {metrics: [energy, latency], max_fused_loops: 0}\n"


@pytest.fixture
def tight(tmp_path: Path) -> Path:
    file = tmp_path / "tight.yaml"
    file.write_text(TIGHT)
    return file


def test_cause_and_ways_out_in_text(tight: Path) -> None:
    done = ff("explain", tight, "--set", "SIZE=63", "--jobs", 1)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "no valid mapping\n"
        "  GlobalBuffer is too small while Einsum Matmul0 runs: it has 63 bits, the smallest size that would do is "
        "64 bits (8 B) (or instead: without max_fused_loops = 0)\n"
        f"  arch.nodes.GlobalBuffer.size = 63 ({tight}:12)\n"
        f"  mapper.ffm.max_fused_loops = 0 ({tight}:37)\n"
        "  a mapping is valid with any one of:\n"
        "    --spec arch.nodes.GlobalBuffer.size=64\n"
        "    --spec mapper.ffm.max_fused_loops=inf\n"
    )
    assert ff_here("map", tight, "--set", "SIZE=63", "--spec", "arch.nodes.GlobalBuffer.size=64").returncode == 0
    assert ff_here("map", tight, "--set", "SIZE=63", "--spec", "arch.nodes.GlobalBuffer.size=63").returncode == 1


def test_costs_in_text_and_json(tmp_path: Path) -> None:
    file, out = tmp_path / "slow.yaml", tmp_path / "new" / "explanation.json"
    bound = "loop_bounds: [{expression: All.rank_variables, operator: 'product<=', value: 2}]"
    file.write_text(arch(memory("MainMemory", "inf", ANY), array(bound)) + matmuls(1))
    done = ff("explain", file, "--metrics", "latency", "--jobs", 2, "--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("least latency: 8 s")
    assert lines[2].split() == ["least", "latency", "factor", "without"]
    path = "arch.nodes.Array.spatial.X.loop_bounds.0"
    assert lines[3].split()[:5] == ["4", "s", "2", path, "="]
    assert lines[3].endswith(f"All.rank_variables product<= 2 ({file}:13)")
    assert "cost nothing:" in lines
    assert "  mapper.ffm.force_memory_hierarchy_order = True (default)" in lines
    data = json.loads(out.read_text())
    assert (data["feasible"], data["complete"], data["guarantee"]) == (True, True, "optimal")
    assert (data["goals"], data["reasons"]) == (["latency"], [])
    best = data["optimum"]["latency"]
    assert best["edp"] == pytest.approx(best["energy"] * best["latency"])
    effects = {e["path"]: e for e in data["effects"]}
    assert effects[path]["outcome"] == "better"
    assert effects[path]["factors"] == {"latency": 2}
    assert effects[path]["optimum"]["latency"]["latency"] == 4
    assert effects[path]["place"] == {"file": str(file), "line": 13}
    assert effects[path]["settings"] == [{"path": "arch.nodes.Array.spatial.X.loop_bounds", "value": "[]"}]
    assert effects["mapper.ffm.max_fused_loops_per_rank_variable"]["default"] is True


def test_cause_in_json(tight: Path) -> None:
    # in this process, where there may be threads: probes come from a server then
    data = json.loads(ff_here("explain", tight, "--set", "SIZE=63", "--jobs", 1, "--format", "json").stdout)
    assert data["feasible"] is False
    (reason,) = data["reasons"]
    cause = reason["cause"]
    assert (cause["kind"], cause["einsum"], cause["memory"]) == ("capacity", "Matmul0", "GlobalBuffer")
    assert (cause["has_bits"], cause["needed_bits"], cause["exact"]) == (63, 64, True)
    assert [c["path"] for c in cause["constraints"]] == ["mapper.ffm.max_fused_loops"]
    assert [s["works"] for s in reason["suggestions"]] == [True, True]
    assert data["way_out"] == [{"path": "arch.nodes.GlobalBuffer.size", "value": "64"}]


def test_bad_input_is_exit_code_2(tight: Path) -> None:
    for arguments, word in [
        ((tight, "--set", "SIZE=nonsense"), "nonsense"),
        ((tight, "--set", "SIZE=64", "--time-limit", "soon"), "--time-limit"),
        ((tight, "--set", "SIZE=64", "--out", tight / "x"), str(tight)),
        ((tight, "--set", "SIZE=64", "--metrics", "resource_usage"), "metrics are"),
    ]:
        done = ff_here("explain", *arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert word in done.stderr
        assert "Traceback" not in done.stderr


def test_the_time_limit_is_for_all_searches_and_what_is_finished_is_shown(tight: Path) -> None:
    whole = json.loads(ff_here("explain", tight, "--set", "SIZE=64", "--format", "json", "--jobs", 1).stdout)
    long = ("explain", tight, "--set", "SIZE=64", "--jobs", 1, "--time-limit", "10min", "--format", "json")
    again = json.loads(ff_here(*long).stdout)
    for data in (whole, again):
        for effect in data["effects"]:
            del effect["seconds"]
    assert again == whole
    for short in (("--time-limit", "1us"), ("--spec", "mapper.ffm.time_limit=1us")):
        done = ff_here("explain", tight, "--set", "SIZE=64", "--jobs", 1, "--format", "json", *short)
        assert (done.returncode, done.stderr) == (0, "")
        data = json.loads(done.stdout)
        assert data["guarantee"].startswith("none (the time limit of ")
        assert (data["feasible"], data["complete"]) == (True, False)
        assert {e["outcome"] for e in data["effects"]} <= {"unfinished", "idle"}
        assert any(e["outcome"] == "unfinished" for e in data["effects"])
        edp = "edp" if "edp" in whole["optimum"] else next(iter(whole["optimum"]))
        assert data["optimum"][edp]["edp"] >= whole["optimum"][edp]["edp"] * (1 - 1e-9)
    text = ff_here("explain", tight, "--set", "SIZE=64", "--jobs", 1, "--time-limit", "1us").stdout
    assert "guarantee of each of these and of those below: none (the time limit of 1 us ended the search" in text
    assert "not known (a larger --time-limit may help):" in text


def test_a_search_that_cannot_be_cut_short_is_given_up(tight: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = ("--joiner", "exhaustive", "--jobs", 1, "--time-limit")
    done = ff_here("explain", tight, "--set", "SIZE=64", *limit, "10min")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("least")
    monkeypatch.setattr("ffcore_explain.processes._LEAST", 1e-6)
    never = ff_here("explain", tight, "--set", "SIZE=64", *limit, "1us")
    assert (never.returncode, never.stdout) == (1, "")
    assert "the time limit ended the first search before it found a mapping" in never.stderr


def test_interrupted_it_shows_what_it_knows(tight: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    know = Inquiry._know

    def interrupted(self: Inquiry, **news: object) -> None:
        know(self, **news)
        if "effects" in news:
            raise KeyboardInterrupt

    monkeypatch.setattr(Inquiry, "_know", interrupted)
    done = ff_here("explain", tight, "--set", "SIZE=64", "--format", "json")
    assert done.returncode == 130
    assert done.stderr == "interrupted\n"
    data = json.loads(done.stdout)
    assert data["feasible"] is True
    assert data["complete"] is False
    assert "pending" in {e["outcome"] for e in data["effects"]}
    assert "interrupted before:" in ff_here("explain", tight, "--set", "SIZE=64").stdout


def test_other_joiners(tight: Path) -> None:
    exhaustive = ff_here("explain", tight, "--set", "SIZE=63", "--joiner", "exhaustive", "--jobs", 1)
    assert "the smallest size that would do is 64 bits" in exhaustive.stdout
    missing = ff_here("explain", tight, "--set", "SIZE=63", "--no-plugins")
    assert missing.returncode == 2
    assert "joiner 'ffm' is not installed" in missing.stderr
    pytest.importorskip("ffcore_simanneal", reason="the plugin simanneal is not installed")
    other = ff_here("explain", tight, "--set", "SIZE=63", "--joiner", "random", "--jobs", 1)
    assert other.stdout.startswith("note: the joiner 'random' promises no optimum: 'ffm' is asked instead\n")
    assert "the smallest size that would do is 64 bits" in other.stdout


def test_what_cannot_be_searched_for_is_said(tight: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise FFError("the search has no such option")

    monkeypatch.setattr("ffcore_explain.inquiry.find_cause", refuse)
    done = ff_here("explain", tight, "--set", "SIZE=63")
    assert done.returncode == 0
    assert "no mapping is valid; why cannot be searched: the search has no such option" in done.stdout


def test_a_plain_mistake_is_told_as_ever(tmp_path: Path) -> None:
    arch_file, workload = write_specs(tmp_path)
    done = ff_here("explain", arch_file, workload)
    assert (done.returncode, done.stdout) == (2, "")
    assert "M" in done.stderr
