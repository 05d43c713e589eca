"""What specs of the field say in ways of their own, and what is refused in one sentence."""

from __future__ import annotations

import copy
import pickle
import re
from pathlib import Path

import pytest

import ffcore as ff
from ffcore.errors import SpecError, SpecWarning
from ffcore.mapper.ffm import Metrics
from ffcore.spec import Einsum, Workload
from ffcore.spec.architecture import Arch, Compute, Memory
from ffcore.spec.expressions import evaluate
from ffcore.spec.problem import Problem

ARCH = """
arch:
  nodes:
  - !Memory
    name: Main
    size: inf
    tensors: {keep: All}
    actions: [{name: read, energy: 1, throughput: inf}, {name: write, energy: 1, throughput: inf}]
  - !Compute {name: MAC, actions: [{name: compute, energy: 1, throughput: 1}]}
"""
WORKLOAD = """
workload:
  rank_sizes: {M: 4, K: 6}
  bits_per_value: {All: 8}
  einsums: ["Y[m] = A[m, k] * X[k]"]
"""


def problem(text: str) -> Problem:
    return ff.Spec.from_string(text).problem()


def refused(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        ff.Spec.from_string(text).problem()
    assert len(caught.value.problems) == 1
    return str(caught.value)


def bounds(statement: str, sizes: str = "{M: 4, K: 6}") -> dict[str, int]:
    text = WORKLOAD.replace("{M: 4, K: 6}", sizes).replace("  bits", f"  iteration_space_shape: {statement}\n  bits")
    return dict(problem(ARCH + text).einsums[0].bounds)


@pytest.mark.parametrize(
    ("statement", "sizes", "m", "k"),
    [
        ("{m: -1 < m <= 3, k: 0 <= k and k < 6}", "{}", 4, 6),
        ("{m: 1 <= m < 4}", "{K: 6}", 3, 6),
        ("['5 >= k > 1', m == 2]", "{}", 1, 4),
        ("['0 <= 2*m < 7']", "{K: 6}", 4, 6),
    ],
)
def test_bounds_of_one_variable(statement: str, sizes: str, m: int, k: int) -> None:
    if "==" in statement:
        statement = statement.replace("m == 2", "0 <= m <= 2 and m >= 2")
    assert bounds(statement, sizes) == {"m": m, "k": k}


@pytest.mark.parametrize(
    ("statement", "m", "k"),
    [("['0 <= m + k < 9']", 4, 6), ("[m + k < 3]", 3, 3), ("[k < m]", 3, 3), ("[m > k + 1]", 2, 2)],
)
def test_bounds_of_two_variables_are_the_box_around_them(statement: str, m: int, k: int) -> None:
    with pytest.warns(SpecWarning, match="all of the box around it counts"):
        assert bounds(statement) == {"m": m, "k": k}


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("[m]", "no bound of a rank variable"),
        ("[0 <= m < 4 or m < 2]", "no bound of a rank variable"),
        ("[m != 3]", "no bound of a rank variable"),
        ("[0 <= m * k < 4]", "cannot be applied"),
        ("[0 <= m]", "m has no upper bound"),
        ("[5 <= m < 4]", "the bound of m must be positive, got -1"),
        ("{m: 0 <= k < 6}", "the entry for m bounds k"),
        ("{q: 0 <= q < 6}", "has no rank variable 'q'"),
    ],
)
def test_wrong_bounds(statement: str, message: str) -> None:
    text = WORKLOAD.replace("  bits", f"  iteration_space_shape: {statement}\n  bits")
    assert message in refused(ARCH + text)


def test_subtracted_variables_reach_as_many_values() -> None:
    def optimum(index: str) -> float:
        text = f"""
workload:
  iteration_space_shape: {{p: 0 <= p < 4, r: 0 <= r < 3}}
  bits_per_value: {{All: 8}}
  einsums:
  - name: E
    tensor_accesses:
    - {{name: X, projection: {{W: {index}}}}}
    - {{name: F, projection: [r]}}
    - {{name: Y, projection: [p], output: True}}
"""
        return ff.map_workload_to_arch(ff.Spec.from_string(ARCH + text), n_jobs=1).energy()

    assert optimum("p + 2 - r") == optimum("p + r")
    assert optimum("2*p - r + 2") == optimum("2*p + r")


def test_an_index_that_runs_backwards_is_refused() -> None:
    text = WORKLOAD.replace('"Y[m] = A[m, k] * X[k]"', '"Y[m] = A[M: 3 - m, K: k] * X[k]"')
    assert "the coefficient of m must be positive" in refused(ARCH + text)


def test_ranks_of_an_einsum_have_one_size() -> None:
    einsum = '{einsum: "Y[m] = A[m, k] * X[k]", rank_sizes: {K: 6}}'
    text = WORKLOAD.replace('"Y[m] = A[m, k] * X[k]"', einsum)
    assert problem(ARCH + text).einsums[0].bounds == {"m": 4, "k": 6}
    assert "rank K has two sizes: 7 and 6" in refused(ARCH + text.replace("{K: 6}}", "{K: 7}}"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("list((1, 2)) + [3]", [1, 2, 3]),
        ("tuple([1])", (1,)),
        ("bool([])", False),
        ("str(3) + 'x'", "3x"),
        ("[i * x for i, x in enumerate([5, 6], start=1)]", [5, 12]),
        ("map(max, [1, 5], [2, 3])", [2, 5]),
        ("isnan(nan)", True),
        ("e > 2 and pi > 3", True),
    ],
)
def test_pure_functions_and_constants(text: str, value: object) -> None:
    assert evaluate(text, {}) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("map(eval, [1])", "unknown or not allowed"),
        ("map([1], [1])", "map() takes the name of a function"),
        ("str([1])", "takes a number or a text"),
        ("enumerate([1], 'a')", "starts at a whole number"),
        ("list(range(10**7))", "at most"),
    ],
)
def test_functions_refuse_what_they_cannot_take(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        evaluate(text, {})


def test_names_of_constants_may_be_taken() -> None:
    assert evaluate("e + 1", {"e": 1}) == 2


TOLL = "  - !Toll {name: Bus, direction: DIRECTION, tensors: {keep: All}, component_class: Dummy}\n"


@pytest.mark.parametrize(
    ("direction", "message"),
    [
        ("{Inputs: down}", "says nothing of tensor Y"),
        ("{Inputs: sideways, Other: up}", "must be one of up, down, up_and_down, got 'sideways'"),
        ("{All: up, A: down}", "name tensor A"),
    ],
)
def test_direction_by_tensor(direction: str, message: str) -> None:
    text = ARCH.replace("  - !Compute", TOLL.replace("DIRECTION", direction) + "  - !Compute")
    assert message in refused(text + WORKLOAD)


def test_a_compute_inside_of_an_array_is_refused() -> None:
    text = ARCH.replace(
        "- !Compute", "- !Array\n    name: Grid\n    spatial: [{name: X, fanout: 2}]\n    nodes: [!Compute"
    )
    assert "stands inside of !Array Grid" in refused(text.rstrip() + "]\n" + WORKLOAD)


def test_tags_in_tables_are_refused() -> None:
    assert "unknown tag !note" in refused(ARCH + WORKLOAD.replace("{All: 8}", "{All: !note 8}"))
    assert "unknown tag !x" in refused("variables: {a: [1, !x {b: 2}]}\n" + ARCH + WORKLOAD)


def test_code_in_a_file_is_refused_with_what_to_do_instead() -> None:
    message = refused("config: {component_models: [models.py]}\n" + ARCH + WORKLOAD)
    assert "config.component_models" in message
    assert "a cost model" in message


def test_numbers_of_metrics_are_those_of_accelforge() -> None:
    spec = ff.Spec.from_string("mapper: {metrics: 3}\n" + ARCH + WORKLOAD)
    assert spec.mapper.ffm.metrics == Metrics.ENERGY | Metrics.LATENCY
    assert "unknown metric 'leak_energy'" in refused("mapper: {metrics: 8}\n" + ARCH + WORKLOAD)


def test_actions_scale_and_latency() -> None:
    spec = ff.Spec.from_string(ARCH + WORKLOAD)
    once = ff.map_workload_to_arch(spec, n_jobs=1)
    spec.arch.nodes["Main"].actions_scale = 3
    spec.arch.nodes["MAC"].actions_scale = 2
    spec.arch.nodes["MAC"].actions["compute"].throughput = None
    spec.arch.nodes["MAC"].actions["compute"].latency = "0.5 s"
    scaled = ff.map_workload_to_arch(spec, n_jobs=1)
    assert scaled.energy() - 2 * 24 == pytest.approx(3 * (once.energy() - 24))
    assert scaled.latency() == pytest.approx(24)


def test_plain_dicts_become_objects() -> None:
    memory = Memory(name="M", size=8, actions=[{"name": "read", "energy": 1}], tensors={"keep": "All"})
    assert memory.actions["read"].energy == 1
    assert memory.tensors.keep == "All"
    memory.actions.append({"name": "write", "energy": 2})
    assert memory.actions["write"].energy == 2
    arch = Arch(nodes=[{"tag": "Memory", "name": "X", "size": "inf"}, Compute(name="C")])
    assert arch.nodes["X"].name == "X"
    workload = Workload(rank_sizes={"M": 4}, einsums=["Y[m] = X[m]"])
    assert isinstance(workload.einsums["Y"], Einsum)
    spec = ff.Spec(arch=arch, workload=workload)
    for other in (copy.deepcopy(spec), pickle.loads(pickle.dumps(spec))):  # noqa: S301
        assert other == spec
        assert other.workload.einsums["Y"].name == "Y"


def test_wrong_dicts_are_refused_where_they_stand() -> None:
    with pytest.raises(SpecError, match=r"^enrgy: unknown field 'enrgy' of Action; did you mean 'energy'\?$"):
        Memory(name="M", size=8, actions=[{"name": "read", "enrgy": 1}])
    with pytest.raises(SpecError, match="expected a list, got str 'x'"):
        Memory(name="M", size=8, actions="x")
    with pytest.raises(SpecError, match="no Einsum 'Z'; there are Y"):
        Workload(einsums=["Y[m] = X[m]"]).einsums["Z"]


def test_files_in_lists_by_pattern_and_under_a_key(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(ARCH)
    (tmp_path / "w.yaml").write_text(WORKLOAD)
    (tmp_path / "top.yaml").write_text("npu:\n" + "".join(f"  {line}\n" for line in (ARCH + WORKLOAD).splitlines()))
    both = [tmp_path / "a.yaml", tmp_path / "w.yaml"]
    expected = ff.Spec.from_yaml(*both)
    assert ff.Spec.from_yaml(both) == expected
    assert ff.Spec.from_yaml(str(tmp_path / "[aw].yaml"), both[0]) == expected
    assert ff.Spec.from_yaml(tmp_path / "top.yaml", top_key="npu") == expected
    with pytest.raises(SpecError, match=r"'npo' \(top_key\) is missing; did you mean 'npu'"):
        ff.Spec.from_yaml(tmp_path / "top.yaml", top_key="npo")
    with pytest.raises(SpecError, match="no file matches"):
        ff.Spec.from_yaml(str(tmp_path / "z*.yaml"))
    with pytest.raises(SpecError, match="got None"):
        ff.Spec.from_yaml(None)


def test_pmappings_without_a_spec() -> None:
    spec = ff.Spec.from_string(ARCH + WORKLOAD)
    pmappings = ff.mapper.FFM.make_pmappings(spec, n_jobs=1)
    with pytest.raises(ff.FFError, match="takes the spec first"):
        ff.mapper.FFM.join_pmappings(pmappings, Metrics.ENERGY)


def test_templates_stay_in_the_folders_of_the_spec(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.yaml").write_text("variables: {a: 1}\n")
    (inside / "base.jinja").write_text("variables:\n  a: {% block a %}1{% endblock %}\n")
    (inside / "top.yaml").write_text("{% extends 'base.jinja' %}{% block a %}{{ N }}{% endblock %}\n")
    assert ff.Spec.from_yaml(inside / "top.yaml", N=5).variables == {"a": 5}
    for text in ("{% include '../secret.yaml' %}", "{% import '/etc/passwd' as p %}", "{% extends '../secret.yaml' %}"):
        (inside / "top.yaml").write_text(text)
        with pytest.raises(SpecError, match="outside of the folders"):
            ff.Spec.from_yaml(inside / "top.yaml")
    (inside / "top.yaml").write_text("a: 1\n{% include 'top.yaml' %}")
    with pytest.raises(SpecError, match=r"nested too deeply|files are included"):
        ff.Spec.from_yaml(inside / "top.yaml")


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("pattern", ["../s*.yaml", "../../*/s*.yaml", "../se*/[a]*.yaml"])
def test_patterns_say_the_same_whether_there_is_a_file_outside_or_not(
    tmp_path: Path, pattern: str, there: bool
) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    if there:
        (tmp_path / "secret.yaml").write_text("variables: {a: 1}\n")
        (tmp_path / "secret").mkdir()
        (tmp_path / "secret" / "a.yaml").write_text("variables: {a: 1}\n")
    (inside / "top.yaml").write_text(f"{{{{ include_all('{pattern}') }}}}")
    with pytest.raises(SpecError, match="outside of the folders"):
        ff.Spec.from_yaml(inside / "top.yaml")


def test_no_way_up_behind_a_wildcard(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/")
    (tmp_path / "top.yaml").write_text("{{ include_all('l*/../*.yaml') }}")
    with pytest.raises(SpecError, match=r"'\.\.' may not stand behind a wildcard"):
        ff.Spec.from_yaml(tmp_path / "top.yaml")


def test_an_error_in_an_included_template_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "part.yaml").write_text("variables:\n  a: 1\n  b: [\n")
    (tmp_path / "top.yaml").write_text("{% include 'part.yaml' %}")
    with pytest.raises(SpecError, match=r"part\.yaml:[34]"):
        ff.Spec.from_yaml(tmp_path / "top.yaml")


def test_a_refused_include_says_what_would_allow_it_and_settings_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("models/own", "models/parts", "settings/ffcore"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "models/parts/sizes.yaml").write_text("{a: 3}\n")
    top = tmp_path / "models/own/top.yaml"
    top.write_text("variables: !include ../parts/sizes.yaml\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    settings = tmp_path / "settings/ffcore/config.yaml"

    with pytest.raises(SpecError) as caught:
        ff.Spec.from_yaml(top)
    folder = tmp_path / "models"
    for part in (f"`--allow-dir {folder}`", f"`export FFCORE_ALLOW_DIRS={folder}`", f"under allow_dirs in {settings}"):
        assert part in str(caught.value)

    assert ff.Spec.from_yaml(top, allowed_dirs=[folder]).variables == {"a": 3}
    settings.write_text(f"allow_dirs: ['{folder}']\n")
    assert ff.Spec.from_yaml(top).variables == {"a": 3}
    for text in ("[1]", "allow_dirs: 3", "allow_dir: []", "allow_dirs: [relative]", "a: ["):
        settings.write_text(text)
        with pytest.raises(SpecError, match=re.escape(f"{settings}:1: ")):
            ff.Spec.from_yaml(top)
    settings.unlink()
    monkeypatch.setenv("FFCORE_ALLOW_DIRS", f"/nowhere:{folder}")
    assert ff.Spec.from_yaml(top).variables == {"a": 3}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("architecture: {version: 0.4, nodes: []}", "this is a file of Timeloop: `ff convert FILE... --from timeloop"),
        ("problem: {shape: {}}\nmapping: []", "this is a file of Timeloop"),
        ("name: tpu\nmemories: {}\noperational_array: {}", "this is a file of ZigZag"),
    ],
)
def test_files_of_other_tools_are_recognised(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)) as caught:
        ff.Spec.from_string(text)
    assert len(caught.value.problems) == 1


TWO_COMPUTES = """
arch:
  nodes:
  - !Memory
    name: Main
    size: inf
    actions_scale: 2
    leak_power: 1
    tensors: {keep: ~Intermediates, may_keep: All}
    actions: [{name: read, energy: 5, latency: 0.01}, {name: write, energy: 5, latency: 0.02}]
  - !Toll
    name: Bus
    direction: {Outputs: up, Other: up_and_down}
    tensors: {keep: All}
    actions: [{name: read, energy: 2, throughput: 100}]
  - !Array
    name: Grid
    spatial: [{name: X, fanout: 2}]
    nodes:
    - !Memory
      name: Buffer
      size: 128
      tensors: {may_keep: All}
      actions: [{name: read, energy: 1, throughput: inf}, {name: write, energy: 1, throughput: inf}]
  - !Fork
    forked_power_gateable: True
    non_forked_power_gateable: True
    nodes: [!Compute {name: Slow, leak_power: 1, actions: [{name: compute, energy: 1, latency: 2}]}]
  - !Compute {name: Fast, leak_power: 9, actions_scale: 3, actions: [{name: compute, energy: 1, throughput: 1}]}
workload:
  rank_sizes: {M: 4, K: 2, N: 2, P: 2}
  bits_per_value: {All: 8}
  einsums: ["T[m, n] = A[m, k] * B[k, n]", "Y[m, p] = T[m, n] * C[n, p]"]
"""


@pytest.mark.parametrize("metrics", [Metrics.ENERGY, Metrics.ENERGY | Metrics.LATENCY])
def test_the_search_finds_what_exhaustion_finds(metrics: Metrics) -> None:
    found = {}
    for joiner in ("ffm", "exhaustive"):
        pytest.importorskip(f"ffcore_{joiner}" if joiner == "exhaustive" else "ffcore_ffm_joiner")
        spec = ff.Spec.from_string(TWO_COMPUTES)
        spec.mapper.joiner, spec.mapper.metrics = joiner, metrics
        spec.mapper.max_fused_loops = 1
        mappings = ff.map_workload_to_arch(spec, n_jobs=1)
        found[joiner] = sorted((round(m.energy(), 9), round(m.latency(), 9)) for m in mappings)
    assert found["ffm"] == found["exhaustive"]
