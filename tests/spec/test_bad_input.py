"""Every mistake that a user can make gets one clear line: file, line, field, and a suggestion where a name is near."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ffcore.errors import LimitError, SpecError, suggest
from ffcore.spec import Spec
from ffcore.templates import einsum_choices

ARCH = """\
arch:
  nodes:
  - !Memory
    name: MainMemory
    size: inf
    actions:
    - {name: read, energy: 1, throughput: inf}
    - {name: write, energy: 1, throughput: inf}
    tensors: {keep: ~Intermediates, may_keep: All}
  - !Memory
    name: Buffer
    size: 1024
    spatial:
    - {name: X, fanout: 2}
    actions:
    - {name: read, energy: 1, throughput: 1e9}
    - {name: write, energy: 1, throughput: 1e9}
    tensors: {keep: ~MainMemory, may_keep: All}
  - !Compute
    name: MAC
    actions:
    - {name: compute, energy: 1, throughput: 1}
"""

WORKLOAD = """\
workload:
  rank_sizes: {M: 8, K: 4, N: 4, P: 2}
  bits_per_value: {All: 8}
  einsums:
  - name: First
    tensor_accesses:
    - {name: A, projection: [m, k]}
    - {name: B, projection: [k, n]}
    - {name: C, projection: [m, n], output: True}
  - "D[m, p] = C[m, n] * E[n, p]"
"""


def errors(tmp_path: Path, old: str = "", new: str = "", more: str = "") -> SpecError:
    """The error of the specs above with ``old`` replaced by ``new`` (``old`` must occur)."""
    texts = {"arch.yaml": ARCH, "workload.yaml": WORKLOAD}
    if old:
        assert any(old in text for text in texts.values()), old
    for name, text in texts.items():
        (tmp_path / name).write_text(text.replace(old, new, 1) if old else text)
    (tmp_path / "workload.yaml").write_text((tmp_path / "workload.yaml").read_text() + more)
    with pytest.raises(SpecError) as caught:
        Spec.from_yaml(tmp_path / "arch.yaml", tmp_path / "workload.yaml").problem()
    return caught.value


def test_the_specs_of_this_file_are_right_as_they_stand(tmp_path: Path) -> None:
    assert [e.name for e in Spec.from_string(ARCH + WORKLOAD).problem().einsums] == ["First", "D"]


CASES = {
    "misspelt field": ("size: 1024", "sise: 1024", "arch.yaml:12", "unknown field 'sise' of Memory", "size"),
    "missing field": ("    size: 1024\n", "", "arch.yaml", "Memory needs a field 'size'", None),
    "misspelt top-level key": ("workload:", "workloads:", "workload.yaml:1", "unknown field 'workloads'", "workload"),
    "misspelt memory": ("~MainMemory,", "~MainMemry,", "arch.yaml:18", "'MainMemry' is undefined", "MainMemory"),
    "misspelt tensor set": (
        "~Intermediates",
        "~Intermediate",
        "arch.yaml:9",
        "'Intermediate' is undefined",
        "Intermediates",
    ),
    "misspelt rank": ("{M: 8", "{MM: 8", "workload.yaml", "rank variable m of Einsum First has no bound", "MM"),
    "rank variable without a bound": (
        "P: 2",
        "Q: 2",
        "workload.yaml",
        "rank variable p of Einsum D has no bound",
        None,
    ),
    "unknown rank variable": (
        "  bits_per_value: {All: 8}",
        "  bits_per_value: {All: 8}\n  iteration_space_shape: {mm: 8}",
        "workload.yaml:4",
        "no rank variable 'mm'",
        None,
    ),
    "unknown tag": (
        "!Memory\n    name: Buffer",
        "!Memori\n    name: Buffer",
        "arch.yaml",
        "unknown tag !Memori",
        "Memory",
    ),
    "missing tag": ("- !Compute\n    name", "-\n    name", "arch.yaml", "expected a node with a tag", None),
    "wrong type: list for value": ("size: 1024", "size: [1024]", "arch.yaml:12", "expected a value", None),
    "wrong type: value for list": ("    - {name: X, fanout: 2}", "      X", "arch.yaml", "expected a list", None),
    "wrong type: value for mapping": (
        "{keep: ~MainMemory, may_keep: All}",
        "All",
        "arch.yaml:18",
        "expected a mapping",
        None,
    ),
    "wrong type: text for number": ("size: 1024", "size: All", "arch.yaml:12", "must be a number", None),
    "wrong type: number for set": ("keep: ~MainMemory", "keep: 3", "arch.yaml:18", "must be a set of tensors", None),
    "wrong type: word for flag": ("output: True", "output: perhaps", "workload.yaml:9", "expected True or False", None),
    "negative size": ("size: 1024", "size: -1", "arch.yaml:12", "Buffer.size must be positive, got -1", None),
    "zero size": ("size: 1024", "size: 8 * 0", "arch.yaml:12", "Buffer.size must be positive, got 0", None),
    "zero fanout": ("fanout: 2", "fanout: 0", "arch.yaml:14", "fanout must be positive, got 0", None),
    "negative fanout": ("fanout: 2", "fanout: -4", "arch.yaml:14", "fanout must be positive, got -4", None),
    "broken fanout": ("fanout: 2", "fanout: 2.5", "arch.yaml:14", "must be a whole number, got 2.5", None),
    "zero throughput": ("throughput: 1}", "throughput: 0}", "arch.yaml:22", "throughput must be positive, got 0", None),
    "negative energy": (
        "compute, energy: 1",
        "compute, energy: -1",
        "arch.yaml:22",
        "energy must not be negative",
        None,
    ),
    "zero rank size": ("K: 4", "K: 0", "workload.yaml:2", "the size of rank K must be positive, got 0", None),
    "infinite rank size": ("K: 4", "K: inf", "workload.yaml:2", "the size of rank K must be a whole number", None),
    "missing cost": ("compute, energy: 1,", "compute,", "arch.yaml", "MAC has no energy of compute", None),
    "unknown action": ("name: compute", "name: computes", "arch.yaml:22", "has no action 'computes'", "compute"),
    "no Compute enabled": (
        "name: MAC",
        "name: MAC\n    enabled: len(All) == 7",
        "",
        "no Compute is enabled for Einsum",
        None,
    ),
    "duplicate node": (
        "name: Buffer",
        "name: MainMemory",
        "arch.yaml",
        "duplicate architecture node 'MainMemory'",
        None,
    ),
    "duplicate Einsum": ("name: First", "name: D", "workload.yaml", "duplicate Einsum 'D'", None),
    "duplicate tensor": ("name: C,", "name: A,", "workload.yaml", "has tensor A twice, and writes it", None),
    "other ranks": (
        "{name: B, projection: [k, n]}",
        "{name: A, projection: {K: k, Z: n}}",
        "workload.yaml",
        "tensor A has ranks [K, Z] here but [K, M] in Einsum First",
        None,
    ),
    "duplicate dimension": (
        "- {name: X, fanout: 2}",
        "- {name: X, fanout: 2}\n    - {name: X, fanout: 3}",
        "arch.yaml:15",
        "duplicate spatial dimension 'X'",
        None,
    ),
    "no output": (", output: True", "", "workload.yaml", "Einsum First has no output", None),
    "two writers": ("D[m, p] = C[m, n] *", "C[m, n] = F[m, p] *", "workload.yaml", "tensor C is written by two", None),
    "ranks differ": ("C[m, n] *", "C[m, X: n] *", "workload.yaml", "tensor C has ranks [M, X] here but [M, N]", None),
    "not affine": ("projection: [k, n]", "projection: {K: k*n, N: n}", "workload.yaml:8", "'k*n' is not affine", None),
    "index without a rank": ("[k, n]", "[k, n+1]", "workload.yaml:8", "an index expression needs its rank", None),
    "malformed Einsum": ("D[m, p] =", "D[m, p] ==", "workload.yaml:10", "is no Einsum", None),
    "no bits": ("{All: 8}", "{A: 8}", "workload.yaml", "has no bits_per_value", None),
    "overlapping keys": ("{All: 8}", "{All: 8, A: 4}", "workload.yaml:3", "overlap: both name tensor A", None),
    "bad operator": (
        "fanout: 2}",
        "fanout: 2, loop_bounds: [{expression: m, operator: =<, value: 2}]}",
        "arch.yaml:14",
        "must be one of == != <",
        None,
    ),
    "min_usage above 1": ("fanout: 2}", "fanout: 2, min_usage: 2}", "arch.yaml:14", "must be at most 1, got 2", None),
    "memory below": ("{keep: ~Intermediates,", "{keep: ~Buffer,", "arch.yaml", "what Buffer keeps is not known", None),
    "not a latency": (
        "size: 1024",
        "size: 1024\n    total_latency: min(a.n_calls for a in actions)",
        "arch.yaml:13",
        "the minimum of numbers of calls",
        None,
    ),
    "constant latency": (
        "size: 1024",
        "size: 1024\n    total_latency: 3",
        "arch.yaml:13",
        "proportional to numbers of calls",
        None,
    ),
    "unknown constraint group": (
        "tensors: {keep: ~Main",
        "constraints: {tensor: {}, tensors: {}}\n    tensors: {keep: ~Main",
        "arch.yaml:18",
        "unknown field 'tensor' of constraints",
        "tensors",
    ),
    "dangerous expression": ("size: 1024", "size: __import__('os').getpid()", "arch.yaml:12", "__import__", None),
}


@pytest.mark.parametrize("case", CASES)
def test_mistake_is_named_with_its_place(case: str, tmp_path: Path) -> None:
    old, new, place, message, suggestion = CASES[case]
    problems = errors(tmp_path, old, new).problems
    fitting = [p for p in problems if message in str(p)]
    assert fitting, [str(p) for p in problems]
    assert place in str(fitting[0])
    if suggestion is not None:
        assert str(fitting[0]).endswith(f"did you mean {suggestion!r}?")


def test_two_bounds_name_both_places(tmp_path: Path) -> None:
    text = str(
        errors(
            tmp_path,
            "  bits_per_value: {All: 8}",
            "  iteration_space_shape: {m: 0 <= m < 9}\n  bits_per_value: {All: 8}",
        )
    )
    assert "rank variable m has two bounds: 9 from iteration_space_shape of the workload" in text
    assert re.search(r"workload\.yaml:3.* and 8 from the size of rank M \(.*workload\.yaml:2", text)


def test_bounds_of_two_ranks_must_agree(tmp_path: Path) -> None:
    text = str(errors(tmp_path, "C[m, n] * E[n, p]", "C[m, n] * E[N: n, M: p]"))
    assert "rank variable p has two bounds: 8 from the size of rank M" in text
    assert "2 from the size of rank P" in text


@pytest.mark.parametrize(
    ("more", "cycle"),
    [
        ("variables: {a: b + 1, b: a + 1}\n", "variables.a -> variables.b -> variables.a"),
        (
            "renames:\n  einsums:\n  - name: default\n    tensor_accesses:\n"
            "    - {name: x, source: ~y}\n    - {name: y, source: ~x}\n",
            "rename x in Einsum First -> rename y in Einsum First -> rename x in Einsum First",
        ),
    ],
)
def test_cycles_are_named(more: str, cycle: str, tmp_path: Path) -> None:
    assert f"cyclic expressions: {cycle}" in str(errors(tmp_path, more=more))


def test_cycle_between_fields_of_nodes_is_named(tmp_path: Path) -> None:
    text = str(errors(tmp_path, "size: 1024", "size: area * 2\n    area: size / 2"))
    assert "cyclic expressions: Buffer.area -> Buffer.size -> Buffer.area" in text


def test_a_tensor_that_no_memory_may_keep() -> None:
    spec = Spec.from_string(ARCH + WORKLOAD)
    spec.arch.nodes["Buffer"].tensors.bypass = "C"
    spec.problem()  # MainMemory may keep it
    spec.arch.nodes["MainMemory"].tensors.bypass = "Intermediates"
    with pytest.raises(SpecError, match="no memory may keep tensor C of Einsum First") as caught:
        spec.problem()
    assert "tensor A" not in str(caught.value)


def test_what_is_wrong_for_every_einsum_is_told_once_and_nothing_that_follows_from_it() -> None:
    spec = Spec.from_string(ARCH + WORKLOAD)
    spec.arch.nodes["MainMemory"].tensors.may_keep = "Nothing"  # so that C is for the Buffer
    spec.arch.nodes["Buffer"].size = -5
    with pytest.raises(SpecError) as caught:
        spec.problem()
    assert [p.message for p in caught.value.problems] == ["Buffer.size must be positive, got -5"]


def test_hopeless_specs_can_be_had_as_problems() -> None:
    spec = Spec.from_string(ARCH + WORKLOAD)
    spec.arch.nodes["MAC"].enabled = False
    with pytest.raises(SpecError, match=r"for Einsum First \(the architecture has MAC, enabled: False"):
        spec.problem()
    assert [e.paths for e in spec.problem(allow_hopeless=True).einsums] == [(), ()]
    spec.arch.nodes["MAC"].enabled = True
    for name in ("MainMemory", "Buffer"):
        spec.arch.nodes[name].tensors.bypass = "C"
    with pytest.raises(SpecError, match="let one of MainMemory, Buffer keep it"):
        spec.problem()
    assert spec.problem(allow_hopeless=True).einsums


def test_expected_count_is_checked(tmp_path: Path) -> None:
    more = """\
renames:
  einsums:
  - name: default
    tensor_accesses:
    - {name: input, source: Inputs, expected_count: 1}
"""
    assert "rename input of Einsum First is {A, B}: 2 members, expected 1" in str(errors(tmp_path, more=more))


def test_renames_of_an_unknown_einsum(tmp_path: Path) -> None:
    text = str(errors(tmp_path, more="renames: {einsums: [{name: Frist, tensor_accesses: []}]}\n"))
    assert "renames for 'Frist', which is no Einsum; did you mean 'First'?" in text


def test_an_architecture_without_compute(tmp_path: Path) -> None:
    old = ARCH[ARCH.index("  - !Compute") :]
    assert "the architecture has no Compute" in str(errors(tmp_path, old, ""))


def test_an_empty_workload() -> None:
    with pytest.raises(SpecError, match="the workload has no Einsum"):
        Spec.from_string(ARCH + "workload: {einsums: []}\n").problem()


def test_reading_before_writing(tmp_path: Path) -> None:
    text = str(errors(tmp_path, "  - name: First", '  - "F[p] = D[m, p]"\n  - name: First'))
    assert "Einsum F reads tensor D before it is written" in text


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("max_fused_loops: -1", "mapper.ffm.max_fused_loops must not be negative, got -1"),
        ("max_fused_lops: 1", "unknown field 'max_fused_lops'"),
        ("metrics: 'energy,latncy'", "unknown metric 'latncy'"),
        ("time_limit: 0", "mapper.ffm.time_limit must be positive, got 0"),
        ("objective_tolerance: -0.1", "mapper.ffm.objective_tolerance must not be negative"),
        ("explore_imperfect_temporal_loops: 7", "must be True or False"),
    ],
)
def test_bad_knobs(field: str, message: str, tmp_path: Path) -> None:
    text = str(errors(tmp_path, more=f"mapper: {{ffm: {{{field}}}}}\n"))
    assert message in text
    assert "workload.yaml:11" in text


def test_a_knob_given_twice(tmp_path: Path) -> None:
    text = str(errors(tmp_path, more="mapper: {max_fused_loops: 1, ffm: {max_fused_loops: 2}}\n"))
    assert "'max_fused_loops' is given both in mapper and in mapper.ffm" in text


def test_several_mistakes_are_reported_together(tmp_path: Path) -> None:
    (tmp_path / "arch.yaml").write_text(ARCH.replace("size: 1024", "sise: 1024").replace("!Compute", "!Computer"))
    (tmp_path / "workload.yaml").write_text(WORKLOAD.replace("output: True", "output: 3"))
    with pytest.raises(SpecError) as caught:
        Spec.from_yaml(tmp_path / "arch.yaml", tmp_path / "workload.yaml")
    assert len(caught.value.problems) == 4  # the missing size too
    (tmp_path / "arch.yaml").write_text(
        ARCH.replace("size: 1024", "size: -1")
        .replace("fanout: 2", "fanout: 0")
        .replace("throughput: 1}", "throughput: 0}")
    )
    (tmp_path / "workload.yaml").write_text(WORKLOAD)
    with pytest.raises(SpecError) as caught:
        Spec.from_yaml(tmp_path / "arch.yaml", tmp_path / "workload.yaml").problem()
    fields = {p.position.field for p in caught.value.problems if p.position}
    assert {
        "arch.nodes.Buffer.size",
        "arch.nodes.Buffer.spatial.X.fanout",
        "arch.nodes.MAC.actions.compute.throughput",
    } == fields


def test_mistakes_made_in_python() -> None:
    spec = Spec.from_string(ARCH + WORKLOAD)
    with pytest.raises(SpecError, match=r"no architecture node 'Bufer'.*did you mean 'Buffer'"):
        spec.arch.nodes["Bufer"]
    with pytest.raises(AttributeError):
        spec.arch.nodes["Buffer"].tensors.kep = "All"
    spec.arch.nodes["Buffer"].tensors.keep = "~MainMemry"
    with pytest.raises(SpecError, match="'MainMemry' is undefined"):
        spec.problem()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("arch.nodes.Bufer.size", "did you mean 'Buffer'"),
        ("arch.nodes.Buffer.sise", "did you mean 'size'"),
        ("workload.einsums.Frist.n_instances", "did you mean 'First'"),
        ("workload.rank_sizes.M.x", "is a value|has no fields"),
        ("mapper.joinr", "did you mean 'joiner'"),
    ],
)
def test_bad_paths(path: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Spec.from_string(ARCH + WORKLOAD).set(path, "3")


def test_unknown_names_list_what_exists() -> None:
    with pytest.raises(SpecError, match=r"architectures: .*simple.*; workloads: .*matmuls.*did you mean 'gpt3_6.7B'"):
        Spec.from_yaml("simple", "gpt3_6.7")


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("name: First", 'name: "First%s"', "workload.yaml:5: workload.einsums.First"),
        ("{name: A,", '{name: "A%s",', "workload.yaml:7: workload.einsums.First.tensor_accesses.A"),
        ("name: Buffer", 'name: "Buffer%s"', "arch.yaml:11: arch.nodes.Buffer"),
        ("{name: X,", '{name: "X%s",', "arch.yaml:14: arch.nodes.Buffer.spatial.X"),
        ("{M: 8,", '{"M%s": 1, M: 8,', "workload.yaml:2: workload.rank_sizes.M"),
    ],
)
def test_names_that_would_obey_nobody(tmp_path: Path, old: str, new: str, place: str) -> None:
    for bad in ("\\e[2J", "\\0", "\\n", "\\u202e", "\\u200b", "\\u2028", "\\uE123", "\\uFFFE", "\\x9B"):
        text = str(errors(tmp_path, old, new % bad))
        assert all(c == "\n" or c.isprintable() for c in text)
        assert place in text
        assert "not printable, U+" in text


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("size: inf", 'size: "1%s"', "arch.nodes.MainMemory.size"),
        ("throughput: 1}", 'throughput: "1%s"}', "arch.nodes.MAC.actions.compute.throughput"),
        ("{All: 8}", '{All: "8%s"}', "workload.bits_per_value.All"),
    ],
)
def test_texts_that_would_obey_nobody(tmp_path: Path, old: str, new: str, place: str) -> None:
    """Even where an expression is never evaluated, it is shown."""
    text = str(errors(tmp_path, old, new % "\\u202e4"))
    assert f"{place}: '" in text
    assert "has a character that is not printable, U+202E: leave it out" in text
    assert "\u202e" not in text


def test_keys_are_shown_escaped(tmp_path: Path) -> None:
    text = str(errors(tmp_path, "name: Buffer", 'name: Buffer\n    "a\\e[2J\\nb": 1'))
    assert text == (
        f"{tmp_path}/arch.yaml:12: arch.nodes.Buffer.a\\x1b[2J\\nb: unknown field 'a\\x1b[2J\\nb' of Memory"
    )


def test_names_set_in_python_are_as_clean() -> None:
    spec = Spec.from_string(ARCH + WORKLOAD)
    with pytest.raises(SpecError, match=r"U\+001B"):
        spec.workload.einsums[0].name = "a\x1b"
    with pytest.raises(SpecError, match=r"U\+D800"):
        spec.workload.einsums[0].name = "a\ud800"
    spec.workload.einsums[0].name = "=a b: #é😀'\""


@pytest.mark.parametrize("value", ["inf", "1e308 * 100", "inf * 0", "-inf"])
@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("compute, energy: 1,", "compute, energy: %s,", "arch.yaml:22: arch.nodes.MAC.actions.compute.energy"),
        ("energy: 1, throughput: 1e9", "energy: %s, throughput: 1e9", "arch.yaml:16: arch.nodes.Buffer.actions.read"),
        ("size: 1024", "size: 1024\n    leak_power: %s", "arch.yaml:13: arch.nodes.Buffer.leak_power"),
    ],
)
def test_energies_are_finite(tmp_path: Path, old: str, new: str, place: str, value: str) -> None:
    text = str(errors(tmp_path, old, new % value))
    assert place in text
    assert re.search("must be finite, got|must not be negative, got|is not a number", text)


def test_scaled_energies_are_finite(tmp_path: Path) -> None:
    text = str(errors(tmp_path, "{name: compute, energy: 1,", "{name: compute, energy: 1e90, energy_scale: 1e20,"))
    assert "arch.nodes.MAC.actions.compute.energy: MAC.actions.compute.energy must be 0, infinite or between" in text
    assert "got 1e+110" in text


def test_of_many_problems_twenty_are_printed() -> None:
    nodes = "\n".join(f"    - !Memory {{name: M{i}, siize: 3}}" for i in range(300))
    with pytest.raises(SpecError) as caught:
        Spec.from_string(f"arch:\n  nodes:\n{nodes}\n").problem()
    assert len(caught.value.problems) >= 300
    *shown, more = str(caught.value).split("\n")
    assert len(shown) == 20
    assert more == f"and {len(caught.value.problems) - 20:,} more"


@pytest.mark.parametrize("number", ["1" + 400 * "0", "round(1e308) * 10**300", "1e308", "1e-200"])
def test_numbers_that_no_sum_can_hold_are_refused(tmp_path: Path, number: str) -> None:
    text = str(errors(tmp_path, "{name: compute, energy: 1,", f"{{name: compute, energy: '{number}',"))
    assert "MAC.actions.compute.energy must be 0, infinite or between 1e-100 and 1e+100 in size" in text


@pytest.mark.parametrize("size", ["18446744073709551616", "1e18", 300 * "9"])
def test_bounds_are_exact_as_floats(size: str) -> None:
    with pytest.raises(SpecError, match=r"(must be at most 2\*\*53|must be 0, infinite or between)"):
        Spec.from_yaml("simple", "matmuls", KN=size).problem()


ALIASES = """&b0 [x, x, x, x, x, x, x, x, x, x],
    &b1 [*b0, *b0, *b0, *b0, *b0, *b0, *b0, *b0, *b0, *b0],
    &b2 [*b1, *b1, *b1, *b1, *b1, *b1, *b1, *b1, *b1, *b1],
    &b3 [*b2, *b2, *b2, *b2, *b2, *b2, *b2, *b2, *b2, *b2],
    &b4 [*b3, *b3, *b3, *b3, *b3, *b3, *b3, *b3, *b3, *b3]"""


@pytest.mark.parametrize("place", ["arch: {nodes: [[%s]]}", "renames: {einsums: [[%s]]}"])
def test_no_more_problems_are_looked_for_than_anybody_reads(place: str) -> None:
    with pytest.raises(SpecError) as caught:
        Spec.from_string(place % ALIASES)
    assert len(caught.value.problems) == 1000
    assert str(caught.value).endswith("\nand at least 980 more")


def test_a_message_has_an_end() -> None:
    text = str(SpecError.one(1_000_000 * "x"))
    assert len(text) < 2100
    assert text.endswith("x...")


def test_einsums_times_components_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ffcore.spec.resolve.job.MAX_COMPONENTS", 1500)
    spec = Spec.from_yaml("tpu_v4i_like", "matmuls", N_EINSUMS=160)
    with pytest.raises(SpecError, match=r"160 Einsums times 10 components .* are more than the 1,500"):
        spec.problem()


def test_nodes_are_bounded() -> None:
    nodes = "\n".join(f"    - !Compute {{name: M{i}}}" for i in range(501))
    with pytest.raises(SpecError, match="the architecture has 501 nodes, more than 500"):
        Spec.from_string(f"arch:\n  nodes:\n{nodes}\n").problem()


def test_all_expressions_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ffcore.spec.expressions.operations.MAX_TOTAL", 1_000_000)
    busy = "sum([sum([1 for a in range(900)]) for b in range(300)])"
    variables = "\n".join(f"  V{i}: {busy}" for i in range(40))
    spec = Spec.from_string(f"variables:\n{variables}\n")
    with pytest.raises(SpecError, match="the expressions of this spec take more than 1000000 steps together"):
        spec.problem()


def test_a_near_name_is_found_among_thousands() -> None:
    names = [f"Tensor{i}" for i in range(10_000)] + ["GlobalBuffer"]
    assert suggest("GlobalBufer", names) == "GlobalBuffer"
    assert suggest(10_000 * "x", names) is None


def test_einsums_and_rank_variables_are_bounded() -> None:
    copies = "\n".join(f"  - T{i + 1}[m, n] = T{i}[m, n]" for i in range(2001))
    arch = "arch: {nodes: [!Compute {name: MAC, actions: [{name: compute, energy: 1, throughput: 1}]}]}\n"
    sizes = "  rank_sizes: {M: 2, N: 2}\n  bits_per_value: 8\n"
    with pytest.raises(SpecError, match=r"the workload has 2,001 Einsums, more than 2,000"):
        Spec.from_string(f"{arch}workload:\n{sizes}  einsums:\n{copies}\n").problem()
    ranks = ", ".join(f"a{i}" for i in range(61))
    sizes = f"  rank_sizes: {{{ranks.upper().replace(',', ': 2,')}: 2}}\n  bits_per_value: 8\n"
    with pytest.raises(SpecError, match=r"Einsum B has 61 rank variables, more than 60"):
        Spec.from_string(f"{arch}workload:\n{sizes}  einsums:\n  - B[{ranks}] = A[{ranks}]\n").problem()


def test_what_is_too_long_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """100,000 Einsums as texts took 43 s and 1.8 GB, 1,000 of 150 tensors 58 s."""
    spec = Spec.from_yaml("simple", "matmuls", N_EINSUMS=4)
    monkeypatch.setattr("ffcore.spec.workload.MAX_ACCESSES", 7)
    full = "{name: B, tensor_accesses: [{name: A, projection: [m]}, {name: B, projection: [m], output: true}]}"
    extra = "{einsum: 'C[m] = B[m]', tensor_accesses: [{name: B, bits_per_value: 8}]}"
    texts = "'E[m] = C[m] * D[m]'"
    for einsums, n in ((f"{full}, {extra}, {texts}", 0), (f"{full}, {extra}, [{texts}, 'F[m] = E[m]']", 9)):
        text = f"workload: {{rank_sizes: {{M: 2}}, bits_per_value: 8, einsums: [{einsums}]}}\n"
        if n:
            with pytest.raises(SpecError, match=f"the workload has {n} tensors in its Einsums, more than 7"):
                Spec.from_string(text)
        else:
            Spec.from_string(text)
    with pytest.raises(SpecError, match="the workload has 12 tensors in its Einsums"):  # made in Python
        spec.problem()


def test_ways_to_hold_tensors_are_bounded() -> None:
    memory = "!Memory {name: %s, size: inf, tensors: {keep: %s, may_keep: All}, actions: [%s]}"
    actions = "{name: read, energy: 1, throughput: inf}, {name: write, energy: 1, throughput: inf}"
    nodes = [memory % ("Main", "All", actions), *(memory % (f"B{i}", "Nothing", actions) for i in range(5))]
    compute = "!Compute {name: MAC, actions: [{name: compute, energy: 1, throughput: 1}]}"
    inputs = " * ".join(f"I{i}[m]" for i in range(24))
    workload = f"workload: {{rank_sizes: {{M: 4}}, bits_per_value: 8, einsums: ['O[m] = {inputs}']}}"
    spec = Spec.from_string(f"arch: {{nodes: [{', '.join([*nodes, compute])}]}}\n{workload}\n")
    with pytest.raises(LimitError, match="Einsum O has too many ways to hold its tensors"):
        einsum_choices(spec.problem().einsums[0])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            '  - "D[m, p] =',
            '  - "D[m, p] =' + "".join(f"Z{i}[m] * " for i in range(200)),
            "Einsum D has 20[0-9] tensors",
        ),
        ('"D[m, p] =', '"D[m, p] = F[' + ", ".join(f"R{i}: m" for i in range(101)) + "] *", "tensor F has 101 ranks"),
        ('"D[m, p] =', '"D[m, p] = F[R: ' + " + ".join(["m"] * 1500) + "] *", "has too many terms"),
        (
            "workload:\n",
            "variables: {" + ", ".join(f"v{i}: 1" for i in range(10_001)) + "}\nworkload:\n",
            "10,001 variables",
        ),
    ],
)
def test_what_would_take_minutes_to_look_at_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert re.search(said, str(errors(tmp_path, old, new)))


def test_renames_and_variables_count_for_each_einsum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ffcore.spec.resolve.einsums.MAX_RENAMES", 5)
    monkeypatch.setattr("ffcore.spec.resolve.einsums.MAX_OF_ARCH", 5)
    said = str(errors(tmp_path, "arch:\n", "arch:\n  variables: {a: 1, b: 1, c: 1}\n"))
    assert "2 Einsums times 3 variables of the architecture are more than 5" in said
    names = ", ".join(f"{{name: r{i}, source: All}}" for i in range(3))
    more = f"renames: {{einsums: [{{name: default, tensor_accesses: [{names}]}}]}}\n"
    assert "2 Einsums have 6 renames together, more than 5" in str(errors(tmp_path, more=more))
