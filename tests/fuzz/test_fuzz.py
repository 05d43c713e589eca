"""Mutants of all kinds end in one of four ways; inputs that once did not are kept, and so do they."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.fuzz.cases import KINDS, Case, Seeds
from tests.fuzz.child import run_one
from tests.fuzz.drive import make_seeds, outcomes
from tests.fuzz.outcome import DEFECT, GOOD, REFUSED, Outcome

PARTS, EACH = 2, 1000  # 100,000 by `make fuzz`
FOUND = Path(__file__).parent / "found"


def told(defects: list[Outcome]) -> str:
    return "\n".join(f"python -m tests.fuzz --only {d.number}  # {d.kind}: {d.said[-500:]}" for d in defects)


@pytest.mark.parametrize("part", range(PARTS))
def test_mutants(tmp_path: Path, part: int) -> None:
    seeds = make_seeds(tmp_path)
    found = list(outcomes(range(part * EACH, (part + 1) * EACH), tmp_path / "work", seeds))
    defects = [outcome for outcome in found if outcome.name == DEFECT]
    assert not defects, told(defects)
    assert {outcome.kind for outcome in found} == set(KINDS)
    counts = Counter(outcome.name for outcome in found)
    assert counts[GOOD] > EACH // 10  # mutants are near enough to what is right
    assert counts[REFUSED] > EACH // 3
    assert not list((tmp_path / "work").iterdir())


@pytest.mark.parametrize("name", sorted(p.name for p in FOUND.iterdir()))
def test_found(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # of a plugin: a file that nobody asked for
    shutil.copytree(FOUND / name, tmp_path, dirs_exist_ok=True)
    data = json.loads((tmp_path / "case.json").read_text())
    case = Case(data["kind"], data["words"], metadata=data["kind"] == "plugin")
    outcome = run_one(0, case, tmp_path, Seeds(tmp_path, tmp_path, (), ()))
    assert outcome.name == data["outcome"], outcome.said
    assert data["says"] in outcome.said


def test_what_is_wrong_is_a_defect(tmp_path: Path) -> None:
    """The classes can be told apart: a test of the fuzzer."""
    from tests.fuzz.outcome import classify

    seeds = Seeds(tmp_path, tmp_path, ((1.0, 2.0),), ())

    def name(code: int, err: str = "", out: str = "", new: str = "", same: bool = False) -> str:
        return classify(Case("x", [], same=same), code, out, err, {new} - {""}, seeds, tmp_path).name

    right = '{"mappings": [{"energy": 1.0, "latency": 2.0}]}'
    assert name(0) == name(0, out=right, same=True) == GOOD
    assert name(2, "a.yaml:1: x is wrong") == REFUSED
    assert name(1, "no valid mapping: too small") == "no valid mapping"
    assert name(1, "the time limit of 2 s ended the search") == "limit reached"
    wrong = [
        *(name(3, "internal error"), name(255, "Traceback"), name(130), name(-9), name(1, "?"), name(2)),
        *(
            name(2, "x\n" * 50),
            name(2, "\x1b[2J"),
            name(0, new="PWNED"),
            name(0, out=right.replace("1.0", "1.5"), same=True),
        ),
    ]
    assert set(wrong) == {DEFECT}
