"""How a mutant ended: one of four ways that are right, or a defect."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import attrs

from tests.fuzz.cases import Case, Seeds

GOOD, REFUSED, NOTHING, LIMIT, DEFECT = "good", "clean refusal", "no valid mapping", "limit reached", "defect"
RIGHT = (GOOD, REFUSED, NOTHING, LIMIT)

LINES = 40  # of messages: 20 problems, "and N more", and some warnings
CHARACTERS = 60_000

_LIMITS = re.compile(r"time limit|memory ran out|memory limit|took more than|takes too long|the limit", re.IGNORECASE)


@attrs.define
class Outcome:
    """``said``: the end of what the command said on stderr, or what is wrong."""

    name: str
    kind: str
    said: str = ""
    code: int = 0
    number: int = -1
    seconds: float = 0.0

    def as_data(self) -> dict[str, Any]:
        return attrs.asdict(self)


def classify(case: Case, code: int, out: str, err: str, new: set[str], seeds: Seeds, folder: Path) -> Outcome:
    """The outcome of a command that ended by itself."""
    wrong = _wrong(case, code, out, err, new, seeds, folder)
    if wrong:
        return Outcome(DEFECT, case.kind, f"{wrong}: {err[-3000:]}", code)
    name = GOOD if code == 0 else REFUSED if code == 2 else LIMIT if _LIMITS.search(err) else NOTHING
    return Outcome(name, case.kind, err[-200:], code)


def _wrong(case: Case, code: int, out: str, err: str, new: set[str], seeds: Seeds, folder: Path) -> str:
    if code not in (0, 1, 2):
        return f"exit code {code}"
    if "Traceback" in err or "internal error" in err:
        return "a traceback"
    if code == 1 and not ("no valid mapping" in err or _LIMITS.search(err) or "{" in out):
        return "exit code 1 without a reason"
    lines = [line for line in err.splitlines() if not line.startswith("warning: ")]
    if code and (not err.strip() and '"problems"' not in out):
        return "no message"
    if len(lines) > LINES or len(err) > CHARACTERS:
        return f"{len(lines)} lines, {len(err)} characters of messages"
    if code == 2 and re.search(r"\bNone\b.*Error|<[a-z_.]+ object at 0x", err):
        return "Python in a message"
    if any(c in err + out for c in "\x1b\x00\u202e"):
        return "characters that a terminal obeys"
    if new - {"out", "new"}:
        return f"files that nobody asked for, {sorted(new)}"
    if (folder / "PWNED").exists():
        return "code of the file was run"
    if case.same and code == 0 and _numbers(out) != seeds.results:
        return f"another answer, {_numbers(out)} and not {seeds.results}"
    return ""


def _numbers(out: str) -> tuple[tuple[float, float], ...]:
    return tuple((m["energy"], m["latency"]) for m in json.loads(out)["mappings"])
