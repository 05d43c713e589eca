"""Comparing with the peer, whose place is taken by a program that answers as it does."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bench import compare_peer
from bench.compare_peer import AGREE, BETTER, LOOSER, NO_RESULT, WORSE, verdict
from bench.measure import Measured, measure

MEASURED: dict[tuple[str, ...], Measured] = {}

FAKE = """#!{python}
import json, sys
job = json.loads(sys.argv[2])
assert all("computes_copies" not in open(name).read() for name in job["files"])
print("what the mapper says")
print(json.dumps({{"version": "0", "seconds": {{"map": 1.5}}, "points": {points}}}))
"""


def fake_peer(folder: Path, points: list[list[float]]) -> str:
    program = folder / "python"
    program.write_text(FAKE.format(python=sys.executable, points=json.dumps(points)))
    program.chmod(0o755)
    return str(program)


@pytest.fixture(autouse=True)
def ours_runs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All compare the same of our jobs with another peer."""

    def remembered(command: Sequence[str], **options: Any) -> Measured:
        if command[0] != sys.executable:
            return measure(command, **options)
        if tuple(command) not in MEASURED:
            MEASURED[tuple(command)] = measure(command, **options)
        return MEASURED[tuple(command)]

    monkeypatch.setattr(compare_peer, "measure", remembered)


@pytest.mark.parametrize(
    ("ours", "peers", "loops", "expected"),
    [
        ([(1, 1)], [(1.000001, 1)], math.inf, AGREE),
        ([(1, 2), (2, 1)], [(2, 1), (1, 2)], math.inf, AGREE),
        ([(1, 1)], [(1.001, 1)], math.inf, BETTER),
        ([(1, 2), (2, 1)], [(1, 2)], math.inf, BETTER),
        ([(1.001, 1)], [(1, 1)], math.inf, WORSE),
        ([(1, 2)], [(1, 2), (2, 1)], math.inf, WORSE),
        ([(1.001, 1)], [(1, 1)], 1, LOOSER),
        ([], [(1, 1)], math.inf, NO_RESULT),
    ],
)
def test_verdicts(ours: list[compare_peer.Point], peers: list[compare_peer.Point], loops: float, expected: str) -> None:
    assert verdict(ours, peers, loops) == expected


@pytest.mark.parametrize(("scale", "code", "word"), [(1, 0, "agree"), (2, 0, "ours better"), (0.5, 1, "CONTRADICTION")])
def test_both_are_run_and_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], scale: float, code: int, word: str
) -> None:
    # Two matmuls of 4x4x4 on `simple`: the peer's formula of section 3 of the semantics, by hand for 64 bits a tensor.
    energy, latency = 2 * (4 * 64 * 8 - 16 * 8 + 64), 128.0
    peer = fake_peer(tmp_path, [[scale * energy, latency]])
    words = ["--peer-python", peer, "simple", "matmuls", "--set", "M=4", "--set", "KN=4"]
    found = compare_peer.main(words)
    said = capsys.readouterr().out
    assert word in said, said
    assert found == code
    assert "ratio of whole processes" in said


def test_our_own_field_is_left_out_for_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    peer = fake_peer(tmp_path, [[1, 1]])
    words = ["--peer-python", peer, "tpu_v4i_like_constrained", "matmuls", "--set", "M=4", "--set", "KN=4"]
    compare_peer.main(words)
    assert "computes_copies is ffcore's own" in capsys.readouterr().out


def test_a_peer_that_fails_is_reported_and_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!{sys.executable}\nraise SystemExit('KeyError: no luck')\n")
    program.chmod(0o755)
    words = ["--peer-python", str(program), "simple", "matmuls", "--set", "M=4", "--set", "KN=4"]
    assert compare_peer.main(words) == 0
    said = capsys.readouterr().out
    assert "KeyError: no luck" in said
    assert NO_RESULT in said


def test_missing_files_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare_peer.main(["--peer-python", "x", "nothing_here", "matmuls"]) == 2
    assert "nothing_here" in capsys.readouterr().err
