"""Compiled code is kept as long as all that it was made of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

INNER = """
from ffcore.kernel import kernel
{constant}
@kernel
def inner(x):
    return {body}
"""
OUTER = """
from ffcore.kernel import kernel
from inner import inner
@kernel
def outer(x):
    return inner(x)
"""


def test_a_kernel_is_compiled_again_when_what_it_calls_has_changed(tmp_path: Path) -> None:
    """Its own file stays as it is."""

    def run(body: str, constant: str = "") -> tuple[str, str]:
        (tmp_path / "inner.py").write_text(INNER.format(body=body, constant=constant))
        code = "from outer import outer; print(outer(2.0)); print(sum(outer.stats.cache_hits.values()))"
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        value, hits = done.stdout.split()
        return value, hits

    (tmp_path / "outer.py").write_text(OUTER)
    assert run("x + 1") == ("3.0", "0")
    assert run("x + 1 ") == ("3.0", "0")
    assert run("x + 10", "K = 1") == ("12.0", "0")
    assert run("x + Key", "Key = 5") == ("7.0", "0")
