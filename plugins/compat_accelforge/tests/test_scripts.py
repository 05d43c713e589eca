"""Scripts that import accelforge run as they are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.process import ff_here

TUTORIAL = """
import sys
import accelforge as af
from accelforge.frontend.mapper.metrics import Metrics
from accelforge.mapper.FFM import make_pmappings, join_pmappings
import helper

spec = af.Spec.from_yaml("simple", "matmuls", jinja_parse_data={"N_EINSUMS": 2, "M": helper.SIZE, "KN": 4})
spec.mapper.metrics = Metrics.ENERGY
spec.mapper.max_fused_loops = 1
for node in spec.arch.get_nodes_of_type(af.arch.Memory):
    print(node.name, node.size)
mappings = spec.map_workload_to_arch(print_progress=False)
again = join_pmappings(make_pmappings(spec, print_progress=False), metrics=Metrics.ENERGY)
assert mappings.energy() == again.energy()
print(mappings.energy(per_component=True), mappings.actions(), sys.argv[1:])
print(mappings.data["Total<SEP>mapping"].iloc[0])
"""


def test_a_script_runs_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("SIZE = 4\n")
    (tmp_path / "tutorial.py").write_text(TUTORIAL)
    done = ff_here("accelforge", tmp_path / "tutorial.py", "--", "--size", "3")
    assert done.returncode == 0, done.stderr
    assert "MainMemory" in done.stdout
    assert "['--size', '3']" in done.stdout
    assert "accelforge" not in sys.modules


@pytest.mark.parametrize(
    ("script", "code", "message"),
    [
        ("import accelforge as af\naf.Spec.from_yaml('nowhere.yaml')", 2, "there is no file 'nowhere.yaml'"),
        ("1 / 0", 1, "ZeroDivisionError: division by zero"),
        ("raise SystemExit(7)", 7, ""),
    ],
)
def test_what_a_script_raises(tmp_path: Path, script: str, code: int, message: str) -> None:
    (tmp_path / "script.py").write_text(script)
    done = ff_here("accelforge", tmp_path / "script.py")
    assert done.returncode == code
    assert message in done.stderr
    assert ("Traceback" in done.stderr) == (code == 1)


def test_a_script_that_is_not_there(tmp_path: Path) -> None:
    done = ff_here("accelforge", tmp_path / "no.py")
    assert (done.returncode, "there is no script" in done.stderr) == (2, True)
