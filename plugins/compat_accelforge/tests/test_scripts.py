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
    "a table of components": """
        import pandas as pd
        rows = {}
        for n in (1, 2):
            spec = af.Spec.from_yaml("simple", "matmuls", N_EINSUMS=n, M=4, KN=4)
            spec.mapper.metrics = af.Metrics.ENERGY
            rows[n] = spec.map_workload_to_arch(print_progress=False).energy(per_component=True)
        table = pd.DataFrame(rows).fillna(0)
        assert table[2].sum() > table[1].sum()
    """,
    "per compute": """
        spec = af.Spec.from_yaml("simple", "matmuls", N_EINSUMS=2, M=4, KN=4)
        spec.mapper.metrics = af.Metrics.ENERGY
        m = spec.map_workload_to_arch(print_progress=False)
        each = m.per_compute()
        assert abs(each.energy() * m.n_computes() / m.energy() - 1) < 1e-9
        assert each.latency() * m.n_computes() == m.latency()
        by = each.energy(per_component=True)
        assert abs(sum(by.values()) / each.energy() - 1) < 1e-9
        assert m.drop("Total").energy(per_tensor=True) == m.energy(per_tensor=True)
        print(m.access("energy").drop("Total").columns)
    """,
    "classes imported": """
        from accelforge.frontend.arch import Compute, Memory, Toll
        from accelforge.frontend.spec import Spec
        from accelforge.frontend.workload import Einsum, TensorAccess, Workload

        accesses = [TensorAccess(name="A", projection=["m"]), TensorAccess(name="B", projection=["m"], output=True)]
        spec = Spec.from_yaml("simple")
        spec.workload = Workload(
            einsums=[Einsum(name="E", tensor_accesses=accesses)], rank_sizes={"M": 4}, bits_per_value={"All": 8}
        )
        assert spec.map_workload_to_arch(print_progress=False).actions()["MAC", "compute"] == 4
    """,
    "a level added": """
        import copy
        spec = af.Spec.from_yaml("simple", "matmuls", N_EINSUMS=1, M=4, KN=4)
        spec.mapper.metrics = af.Metrics.ENERGY
        base = spec.map_workload_to_arch(print_progress=False).energy()
        dearer, free = copy.deepcopy(spec), copy.deepcopy(spec)
        dearer.arch.nodes["MainMemory"].energy_scale = 2
        assert dearer.map_workload_to_arch(print_progress=False).energy() > base
        ends = [dict(name=name, energy=0, throughput="inf") for name in ("read", "write")]
        tensors = dict(keep="Nothing", may_keep="All")
        registers = af.arch.Memory(name="Registers", size=1024, area=0, leak_power=0, actions=ends, tensors=tensors)
        free.arch.nodes.insert(len(free.arch.nodes) - 1, registers)
        assert free.map_workload_to_arch(print_progress=False).energy() < base
    """,
    "a table cut down": """
        spec = af.Spec.from_yaml("tpu_v4i_like", "matmuls", N_EINSUMS=2, M=8, KN=8)
        spec.mapper.metrics = af.Metrics.ENERGY
        m = spec.map_workload_to_arch(print_progress=False)
        energy, latency = m.energy(per_component=True), m.latency(per_component=True)
        rest = m.drop_components(drop=["MAC"])
        assert abs(rest.energy() - (m.energy() - energy["MAC"])) < 1e-9 * m.energy()
        assert rest.latency() == max(s for name, s in latency.items() if name != "MAC") < m.latency()
        only = m.drop_components(keep=["MAC"])
        assert only.energy(per_component=True) == {"MAC": energy["MAC"]}
        assert only.latency(per_einsum=True) == m.latency(per_einsum=True)  # MACs are the slowest
        used = m.drop_components_with_zero_energy_and_latency()
        assert set(used.energy(per_component=True)) == {name for name, e in energy.items() if e}
        shown = dict(m.drop_zeros().items())
        assert all(shown.values()) and shown["Total<SEP>energy"] == m.energy()
        assert dict(m.items())["Matmul0<SEP>energy<SEP>ScalarUnit<SEP>leak"] == 0
        assert dict(m.items())["Matmul0<SEP>latency<SEP>Register"] == 0
        assert dict(m.items())["Matmul0<SEP>action<SEP>MainMemory<SEP>T0<SEP>write"] == 0
        assert m.per_tensor_size()["T1"] == 8 * m.per_tensor_size(return_n_elements=True)["T1"] == 512
        try:
            m.access("energy").sum()
        except Exception as error:
            assert "twice" in str(error)
        total = m.access("energy").drop("Total").sum().data["Total"].iloc[0]
        assert abs(total / m.energy() - 1) < 1e-9
        with open("mapping.svg", "w") as file:
            file.write(m.render())
    """,
    "what is used where": """
        import accelforge.workload
        from accelforge import workload
        conv = dict(name="Conv", iteration_space_shape={"p": "0 <= p < 6", "r": "0 <= r < 3"}, tensor_accesses=[
            dict(name="I", projection={"W": "p + r", "C": "c"}),
            dict(name="F", projection={"R": "r", "C": "c", "M": "m"}),
            dict(name="O", projection={"P": "p", "M": "m"}, output=True),
        ])
        product = "Z[p, n] = O[p, m] * V[m, n]"
        sizes = {"C": 2, "M": 2, "N": 4}
        w = workload.Workload(rank_sizes=sizes, bits_per_value={"All": 8}, einsums=[conv, product])
        spec = af.Spec(arch=af.Arch.from_yaml(af.examples.arches.simple), workload=w)
        w, e = spec.workload, spec.workload.einsums["Conv"]
        assert w.tensor_names_used_in_multiple_einsums == ["O"]
        assert [x.name for x in w.einsums_with_tensor_as_input("O")] == ["Z"]
        assert [x.name for x in w.einsums_with_tensor_as_output("O")] == ["Conv"]
        assert [a.output for a in w.accesses_for_tensor("O")] == [True, False]
        assert w.get_tensor_shape("I") == {"W": 8, "C": 2}
        assert e.tensor_names - e.output_tensor_names == e.input_tensor_names == ["I", "F"]
        assert w.tensor_names & {"O", "Z"} == ["O", "Z"] and {"Q"} | e.output_tensor_names == ["O", "Q"]
        assert e.tensor2rank_variables["I"] == ["p", "r", "c"]
        assert e.tensor2directly_indexing_rank_variables["I"] == ["c"]
        assert e.tensor2expression_indexing_rank_variables["I"] == ["p", "r"]
        assert e.tensor2irrelevant_rank_variables == {"I": ["m"], "F": ["p"], "O": ["r", "c"]}
        assert e.rank_variable2ranks["p"] == ["W", "P"] and e.ranks == ["W", "C", "R", "M", "P"]
        assert set(w.rank_variables) == set("prcmn")
    """,
    "a convolution": """
        accesses = [
            dict(name="I", projection={"W": "p + r", "C": "c"}),
            dict(name="F", projection={"R": "r", "C": "c", "M": "m"}),
            dict(name="O", projection={"P": "p", "M": "m"}, output=True),
        ]
        shape = {"p": "0 <= p < 6", "r": "0 <= r < 3"}
        conv = dict(name="Conv", tensor_accesses=accesses, iteration_space_shape=shape)
        workload = af.Workload(rank_sizes={"C": 2, "M": 2}, bits_per_value={"All": 8}, einsums=[conv])
        assert (workload.n_computes(), workload.get_tensor_size("I")) == (6 * 3 * 2 * 2, 8 * 2)
        spec = af.Spec(arch=af.Arch.from_yaml(af.examples.arches.simple, top_key="arch"), workload=workload)
        print(spec.map_workload_to_arch(einsum_names=["Conv"], print_progress=False).energy())
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
        ("import accelforge as af\naf.examples.mappings.untiled", 1, "ffcore brings no file 'untiled' in mappings"),
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
