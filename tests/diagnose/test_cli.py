"""``ff map`` where nothing is valid: exit code 1, one sentence on stderr."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.process import ff
from tests.diagnose.specs import buffered, matmuls

pytest.importorskip("ffcore_ffm_joiner", reason="the plugin ffm_joiner is not installed")


def test_exit_code_and_message(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(
        buffered(7, main="keep: ~Intermediates, may_keep: Nothing") + matmuls(2) + "mapper: {joiner: ffm, ffm: {}}\n"
    )
    done = ff("map", file)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "no valid mapping: Einsum Matmul0: GlobalBuffer is too small: it has 7 bits, "
        "the smallest size that would do is 8 bits (1 B)\n"
    )
