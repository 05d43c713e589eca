"""Scripts that import accelforge run as they are."""

from __future__ import annotations

import sys
import textwrap
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


# Outlines of tutorials: what they call, over small problems.
SCRIPTS = {
    "energy by component": """
        spec = af.Spec.from_yaml(af.examples.arches.simple, af.examples.workloads.matmuls, N_EINSUMS=1, M=4, KN=4)
        spec.mapper.metrics = af.Metrics.ENERGY | af.Metrics.LATENCY
        for m in spec.map_workload_to_arch():
            assert abs(sum(m.energy(per_component=True).values()) / m.energy() - 1) < 1e-9
    """,
    "sweep of a size": """
        found = []
        for size in (512, 1024, 4096):
            spec = af.Spec.from_yaml("simple", "matmuls", N_EINSUMS=2, M=4, KN=4)
            spec.arch["GlobalBuffer"].size = size
            spec.mapper.metrics = af.Metrics.ENERGY
            found.append(spec.map_workload_to_arch(print_progress=False).energy())
        assert found == sorted(found, reverse=True)
    """,
    "fusion off and on": """
        spec = af.Spec.from_yaml("simple", "matmuls", N_EINSUMS=2, M=8, KN=4)
        spec.mapper.metrics = af.Metrics.ENERGY_DELAY_PRODUCT
        fused = spec.map_workload_to_arch()
        spec.arch.nodes["MainMemory"].tensors.keep = "All"
        assert spec.map_workload_to_arch().energy() >= fused.energy()
    """,
    "a mapping evaluated": """
        spec = af.Spec.from_yaml("simple", "matmuls", N_EINSUMS=2, M=4, KN=4)
        spec.mapper.metrics = af.Metrics.ENERGY
        found = spec.map_workload_to_arch()
        open("found.yaml", "w").write(found.to_yaml())
        spec = af.Spec.from_yaml(["simple", "matmuls", "found.yaml"], jinja_parse_data=dict(N_EINSUMS=2, M=4, KN=4))
        assert abs(spec.evaluate_mapping().energy() / found.energy() - 1) < 1e-9
    """,
    "built in Python": """
        ends = [{"name": "read", "energy": 1, "throughput": 1}, {"name": "write", "energy": 1, "throughput": 1}]
        arch = af.Arch(nodes=[
            af.arch.Memory(name="Main", size=float("inf"), actions=ends, tensors={"keep": "All"}),
            af.arch.Compute(name="MAC", actions=[{"name": "compute", "energy": 1, "throughput": 1}]),
        ])
        workload = af.Workload(
            rank_sizes={"M": 4, "K": 2, "N": 2}, bits_per_value={"All": 8}, einsums=["Z[m, n] = A[m, k] * B[k, n]"]
        )
        spec = af.Spec(arch=arch, workload=workload)
        assert spec.workload.n_computes() == spec.workload.n_computes("Z") == 16
        assert spec.workload.get_tensor_size("A") == 8
        print(spec.map_workload_to_arch().actions())
    """,
    "areas and leakage": """
        spec = af.Spec.from_yaml("eyeriss", "matmuls", N_EINSUMS=1, M=4, KN=4).calculate_component_costs()
        assert spec.arch.total_area == sum(spec.arch.per_component_total_area.values())
        print(spec.arch.find_spatial(next(d.name for n in spec.arch.nodes for d in getattr(n, "spatial", []))))
    """,
    "pmappings counted": """
        spec = af.Spec.from_yaml("simple", "matmuls", N_EINSUMS=2, M=4, KN=4)
        pmappings = af.mapper.FFM.make_pmappings(spec, einsum_names=["Matmul0", "Matmul1"], print_progress=False)
        assert pmappings.n_valid_pmappings() <= pmappings.n_total_pmappings()
        print(af.mapper.FFM.join_pmappings(pmappings, af.Metrics.LATENCY).latency())
    """,
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_tutorials(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tutorial.py").write_text("import accelforge as af\n" + textwrap.dedent(SCRIPTS[name]))
    done = ff_here("accelforge", "tutorial.py")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("script", "code", "message"),
    [
        ("import accelforge as af\naf.Spec.from_yaml('nowhere.yaml')", 2, "there is no file 'nowhere.yaml'"),
        ("import accelforge as af\naf.examples.arches.unknown", 1, "ffcore brings no file 'unknown' in arches"),
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
