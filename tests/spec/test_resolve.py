"""Resolution: each rule of the spec semantics on a spec small enough to check by eye."""

from __future__ import annotations

import pickle

import pytest

from ffcore.errors import SpecError
from ffcore.plugin.interfaces import ComponentCost, ComponentQuery
from ffcore.spec import Spec
from ffcore.spec.problem import Component, ComponentKind, EinsumProblem, LoopBound, Metric, TileShape

FREE = "actions: [{name: read, energy: 1, throughput: inf}, {name: write, energy: 2, throughput: inf}]"
MAC = "  - !Compute {name: MAC, actions: [{name: compute, energy: 1, throughput: 1}]}\n"
MATMUL = """\
workload:
  rank_sizes: {M: 8, K: 4, N: 6}
  bits_per_value: {All: 8}
  einsums:
  - einsum: "C[m, n] = A[m, k] * B[k, n]"
    renames: {input: A, weight: B, output: C}
"""
CHAIN = """\
workload:
  rank_sizes: {M: 8, K: 4, N: 6, P: 2}
  bits_per_value: {All: 8}
  einsums:
  - "C[m, n] = A[m, k] * B[k, n]"
  - "E[m, p] = C[m, n] * D[n, p]"
"""
ARCH = f"""\
arch:
  nodes:
  - !Memory {{name: Main, size: inf, {FREE}}}
{MAC}"""


def arch(*nodes: str, compute: str = MAC) -> str:
    """An architecture of ``nodes`` (without the leading dash) above a MAC."""
    return "arch:\n  nodes:\n" + "".join(f"  - {n}\n" for n in nodes) + compute


def memory(name: str, fields: str = "") -> str:
    return (
        f"!Memory {{name: {name}, {FREE}{', ' if fields else ''}{fields}{'' if 'size' in fields else ', size: inf'}}}"
    )


def einsum(text: str, index: int = 0) -> EinsumProblem:
    return Spec.from_string(text).problem().einsums[index]


def component(problem: EinsumProblem, name: str, path: int = 0, **held: str) -> Component:
    """A component, given what the memories above keep (``Main="A,B"``)."""
    names = problem.paths[path].names
    sets = {memory: frozenset(tensors.split(",")) - {""} for memory, tensors in held.items()}
    return problem.paths[path].component(names.index(name), sets)


# --- workload ------------------------------------------------------------------------------------


def test_einsum_text_and_full_form_say_the_same() -> None:
    full = """\
workload:
  rank_sizes: {M: 8, K: 4, N: 6}
  bits_per_value: {All: 8}
  einsums:
  - name: C
    tensor_accesses:
    - {name: A, projection: [m, k]}
    - {name: B, projection: {K: k, N: n}}
    - {name: C, projection: [m, N: n], output: True}
    renames: {input: A, weight: B, output: C}
"""
    assert Spec.from_string(ARCH + full).to_dict() == Spec.from_string(ARCH + MATMUL).to_dict()
    assert Spec.from_string(ARCH + full).hash() == Spec.from_string(ARCH + MATMUL).hash()


def test_inputs_come_first_and_bounds_are_in_order_of_use() -> None:
    problem = einsum(ARCH + MATMUL)
    assert [t.name for t in problem.tensors] == ["A", "B", "C"]
    assert [t.output for t in problem.tensors] == [False, False, True]
    assert list(problem.bounds.items()) == [("m", 8), ("k", 4), ("n", 6)]


def test_shared_and_intermediate_tensors() -> None:
    text = CHAIN.replace("D[n, p]", "D[n, p]").replace('"C[', '"C[')
    first, second = Spec.from_string(ARCH + text).problem().einsums
    assert first.intermediates == second.intermediates == {"C"}
    assert first.shared == {"C"}
    both = text + '  - "F[m, p] = A[m, k] * G[k, p]"\n'
    first, _, third = Spec.from_string(ARCH + both).problem().einsums
    assert first.shared == {"A", "C"}
    assert third.shared == {"A"}
    assert third.intermediates == set()


@pytest.mark.parametrize(
    "shape",
    ["{r: 3}", "{r: 0 <= r < 3}", "{r: 0 <= r <= 2}", "{r: r < 3}", "[0 <= r < three]", "[0 <= r < 9 // three]"],
)
def test_bounds_of_iteration_space_shape(shape: str) -> None:
    text = f"""\
variables: {{three: 3}}
workload:
  rank_sizes: {{P: 10}}
  iteration_space_shape: {shape}
  bits_per_value: 8
  einsums: ["O[p] = I[H: 2*p + r - 1] * W[r]"]
"""
    problem = einsum(ARCH + text)
    assert dict(problem.bounds) == {"p": 10, "r": 3}
    (rank,) = problem.tensor["I"].ranks
    assert (rank.rank, rank.terms, rank.constant) == ("H", (("p", 2), ("r", 1)), -1)


def test_rank_sizes_see_each_other_and_variables() -> None:
    text = MATMUL.replace("{M: 8, K: 4, N: 6}", "{M: ceil(N / K) * scale, K: 4, N: 6}")
    assert einsum("variables: {scale: 2 * two, two: 2}\n" + ARCH + text).bounds["m"] == 8


def test_bits_by_set_by_access_and_other() -> None:
    text = MATMUL.replace("{All: 8}", "{weight: 4, Other: 16}")
    assert [t.bits_per_value for t in einsum(ARCH + text).tensors] == [16, 4, 16]
    spec = Spec.from_string(ARCH + text)
    spec.workload.einsum("C").tensor_accesses[0].bits_per_value = "weight.bits_per_value / 2"
    with pytest.raises(SpecError, match="cyclic expressions: bits_per_value of Einsum C"):
        spec.problem()
    spec.workload.einsum("C").tensor_accesses[0].bits_per_value = 2
    assert [t.bits_per_value for t in spec.problem().einsums[0].tensors] == [2, 4, 16]


def test_persistent_by_set_and_by_access() -> None:
    spec = Spec.from_string(ARCH + MATMUL)
    spec.workload.persistent_tensors = "weight | input"
    assert [t.persistent for t in spec.problem().einsums[0].tensors] == [True, True, False]
    spec.workload.einsum("C").tensor_accesses[0].persistent = False
    assert [t.persistent for t in spec.problem().einsums[0].tensors] == [False, True, False]


def test_instances_multiply() -> None:
    spec = Spec.from_string("variables: {layers: 3}\n" + ARCH + MATMUL)
    spec.workload.n_instances = 2
    spec.workload.einsum("C").n_instances = "layers"
    assert spec.problem().einsums[0].n_instances == 6


def test_a_copy_has_two_tensors() -> None:
    text = MATMUL.replace("    renames", "    is_copy_operation: True\n    renames")
    with pytest.raises(SpecError, match="copy Einsum C must have two tensors, it has 3"):
        einsum(ARCH + text)
    copy = text.replace(" * B[k, n]", "").replace("weight: B, ", "").replace("A[m, k]", "A[m, n]")
    assert einsum(ARCH + copy).is_copy


def test_nested_lists_of_einsums_are_spliced() -> None:
    text = CHAIN.replace('  - "C[', '  - ["C[').replace('B[k, n]"', 'B[k, n]"]')
    assert [e.name for e in Spec.from_string(ARCH + text).problem().einsums] == ["C", "E"]


def test_text_with_tensor_accesses_beside_it_adds_fields() -> None:
    text = MATMUL + "    tensor_accesses: [{name: B, bits_per_value: 2}]\n"
    assert [t.bits_per_value for t in einsum(ARCH + text).tensors] == [8, 2, 8]
    with pytest.raises(SpecError, match="tensor 'BB' is not in the Einsum's text; did you mean 'B'"):
        einsum(ARCH + text.replace("name: B,", "name: BB,"))


# --- renames -------------------------------------------------------------------------------------


def kept(expression: str, workload: str, index: int = 0, more: str = "") -> set[str]:
    """The tensors in a set expression, seen from an architecture node."""
    spec = Spec.from_string(arch(memory("Main"), memory("Buffer")) + workload + more)
    spec.arch.nodes["Buffer"].tensors.keep = expression
    problem = spec.problem().einsums[index]
    return set(component(problem, "Buffer", Main="A,B").holding.must)  # type: ignore[union-attr]


RENAMES = """\
renames:
  einsums:
  - name: default
    tensor_accesses:
    - {name: x, source: Inputs}
    - {name: y, source: Outputs}
    - {name: z, source: All - y}
  - name: C
    tensor_accesses:
    - {name: x, source: A}
    - {name: y, source: B}
"""


def test_renames_of_the_einsum_win_then_its_entry_then_default() -> None:
    own = CHAIN.replace(
        '  - "C[m, n] = A[m, k] * B[k, n]"', '  - einsum: "C[m, n] = A[m, k] * B[k, n]"\n    renames: {x: C}'
    )
    assert kept("x", own, more=RENAMES) == {"C"}
    assert kept("y", own, more=RENAMES) == {"B"}
    assert kept("z", own, more=RENAMES) == {"A", "C"}
    assert kept("x", own, 1, RENAMES) == {"C", "D"}
    assert kept("y", own, 1, RENAMES) == {"E"}


@pytest.mark.parametrize(
    ("expression", "tensors"),
    [
        ("All", "ABC"),
        ("All()", "ABC"),
        ("Tensors", "ABC"),
        ("Nothing", ""),
        ("Inputs", "AB"),
        ("Outputs", "C"),
        ("Intermediates", "C"),
        ("Shared", "C"),
        ("Persistent", "A"),
        ("~A", "BC"),
        ("~Persistent & Inputs", "B"),
        ("D", ""),
        ("A | D", "A"),
        ("~Main", "C"),
        ("~Main.tensors", "C"),
        ("Above", "AB"),
        ("All if len(All) == 3 else Nothing", "ABC"),
        ("A if k else B", "A"),
        ("A if p else B", "B"),
    ],
)
def test_names_in_set_expressions(expression: str, tensors: str) -> None:
    workload = CHAIN.replace("  einsums:", "  persistent_tensors: A\n  einsums:")
    assert kept(expression, workload) == set(tensors)


def test_a_rename_may_refer_to_the_tensor_of_the_same_name() -> None:
    assert kept("A", MATMUL.replace("input: A", "A: ~A")) == {"B", "C"}


def test_renames_of_rank_variables() -> None:
    spec = Spec.from_yaml("simple", "matmuls8_mixed")
    spec.set("arch.nodes.MAC.spatial", "[{name: X, fanout: 4, loop_bounds: []}]")
    spec.set("arch.nodes.MAC.spatial.X.loop_bounds", "[{expression: reduced_rank, operator: ==, value: 1}]")
    problem = spec.problem()
    assert len(problem.einsums) == 8
    assert list(problem.einsums[3].bounds.items()) == [("m", 12800), ("n3", 12800), ("n4", 6400)]
    dimension = component(problem.einsums[3], "MAC", MainMemory="").spatial[0]
    assert dimension.loop_bounds == (LoopBound(frozenset({"n3"}), "==", 1),)


# --- what memories hold --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tensors", "must", "may"),
    [
        ("{}", "", "ABC"),
        ("{keep: A}", "A", ""),
        ("{keep: A, may_keep: All}", "A", "BC"),
        ("{may_keep: B}", "", "B"),
        ("{keep: A | B, may_keep: All, bypass: B}", "A", "C"),
        ("{back: C, keep: A}", "AC", ""),
        ("{keep: A, may_keep: ~keep - C}", "A", "B"),
    ],
)
def test_keep_and_its_defaults(tensors: str, must: str, may: str) -> None:
    problem = einsum(arch(memory("Main"), memory("Buffer", f"tensors: {tensors}")) + MATMUL)
    rules = component(problem, "Buffer", Main="A").holding
    assert rules is not None
    assert (rules.must, rules.may) == (set(must), set(may))


def test_constraints_tensors_is_tensors() -> None:
    old = Spec.from_string(arch(memory("Main", "constraints: {tensors: {keep: A}}")) + MATMUL)
    new = Spec.from_string(arch(memory("Main", "tensors: {keep: A}")) + MATMUL)
    assert old.hash() == new.hash()
    node = old.arch.nodes["Main"]
    node.constraints.tensors.keep = "All()"
    assert node.tensors.keep == "All()"
    assert component(old.problem().einsums[0], "Main").holding.must == {"A", "B", "C"}  # type: ignore[union-attr]
    with pytest.raises(SpecError, match="'keep' is given both"):
        Spec.from_string(arch(memory("Main", "tensors: {keep: A}, constraints: {tensors: {keep: B}}")) + MATMUL)


def test_components_are_memoised_by_what_they_mention() -> None:
    nodes = memory("Main"), memory("Middle", "tensors: {keep: ~Main}"), memory("Buffer", "tensors: {keep: ~Middle}")
    path = einsum(arch(*nodes) + MATMUL).paths[0]
    first = path.component(2, {"Main": frozenset("A"), "Middle": frozenset("B")})
    assert first.holding is not None
    assert first.holding.must == {"A", "C"}
    assert path.component(2, {"Main": frozenset("ABC"), "Middle": frozenset("B")}) is first
    other = path.component(2, {"Main": frozenset("A"), "Middle": frozenset("C")})
    assert other.holding is not None
    assert other.holding.must == {"A", "B"}


def test_a_field_that_names_another_node_depends_on_what_that_one_mentions() -> None:
    nodes = (
        memory("Main"),
        memory("Middle", "size: 100 * len(Main.tensors) + 1"),
        memory("Buffer", "size: Middle.size"),
    )
    path = einsum(arch(*nodes) + MATMUL).paths[0]
    for tensors in ("A", "AB"):
        held = {"Main": frozenset(tensors), "Middle": frozenset("ABC")}
        assert path.component(2, held).size == 100 * len(tensors) + 1


def test_a_toll_handles_what_is_above_it() -> None:
    toll = (
        "!Toll {name: Link, direction: down, tensors: {keep: All}, actions: [{name: read, energy: 3, throughput: 1}]}"
    )
    problem = einsum(arch(memory("Main"), toll) + MATMUL)
    link = component(problem, "Link", Main="A,C")
    assert link.kind is ComponentKind.TOLL
    assert (link.free_up, link.free_down) == ({"A", "B", "C"}, set())
    assert link.holding is not None
    assert link.holding.must == {"A", "C"}


def test_other_rules_for_holders() -> None:
    rules = (
        "tensors: {no_refetch_from_above: B, no_resend_to_below: C, force_memory_hierarchy_order: False, "
        "tensor_order_options: [[A, B | C], [All]], "
        "tile_shape: [{expression: weight.rank_variables & ~k, operator: '<=', value: 4}]}"
    )
    holding = component(einsum(arch(memory("Main", rules)) + MATMUL), "Main").holding
    assert holding is not None
    assert (holding.no_refetch_from_above, holding.no_resend_to_below) == ({"B"}, {"C"})
    assert not holding.force_memory_hierarchy_order
    assert holding.tensor_order_options == ((frozenset("A"), frozenset("BC")), (frozenset("ABC"),))
    assert holding.tile_shape == (TileShape(frozenset({"n"}), "<=", 4),)


# --- paths ---------------------------------------------------------------------------------------

TREE = arch(
    memory("Main"),
    f"!Fork {{nodes: [!Memory {{name: Side, size: 8, {FREE}, spatial: [{{name: S, fanout: 3}}]}}, "
    "!Compute {name: Scalar, actions: [{name: compute, energy: 1, throughput: 1}], enabled: len(All) == 2}]}",
    "!Array {name: Tiles, spatial: [{name: X, fanout: 4}, {name: Y, fanout: 2}], leak_power: 1, area: 2, "
    f"nodes: [!Hierarchical {{nodes: [!Memory {{name: Buffer, size: 8, {FREE}, leak_power: 0.5, area: 3}}]}}]}}",
    compute="  - !Compute {name: MAC, spatial: [{name: Z, fanout: 5, power_gateable: True}], leak_power: 0.1, "
    "area: 1, n_parallel_instances: 2, area_scale: 10, actions: [{name: compute, energy: 1, throughput: 1}]}\n",
)


def test_forks_are_skipped_and_other_branches_are_inlined() -> None:
    spec = Spec.from_string(TREE + MATMUL)
    assert [p.names for p in spec.problem().einsums[0].paths] == [("Main", "Buffer", "Tiles", "MAC")]
    spec.arch.nodes["Scalar"].enabled = True
    names = [p.names for p in spec.problem().einsums[0].paths]
    assert names == [("Main", "Side", "Scalar"), ("Main", "Buffer", "Tiles", "MAC")]
    spec.arch.nodes["Buffer"].enabled = "Nothing"
    assert spec.problem().einsums[0].paths[1].names == ("Main", "Tiles", "MAC")


def test_leaks_and_areas_count_own_fanout_and_that_of_all_above() -> None:
    spec = Spec.from_string(TREE + MATMUL)
    leaks = {leak.component: leak for leak in spec.problem().einsums[0].leaks}
    assert leaks.keys() == {"Tiles", "Buffer", "MAC"}
    assert leaks["Tiles"].power == 8
    assert leaks["Buffer"].power == 0.5
    assert leaks["MAC"].power == pytest.approx(0.1 * 2 * 5 * 8)
    assert leaks["MAC"].gates == (("MAC", "Z", 5),)
    assert leaks["Buffer"].gates == ()
    areas = spec.areas()
    assert (areas["Tiles"], areas["Buffer"], areas["MAC"]) == (16, 3, 10 * 2 * 5 * 8)
    assert spec.leak_powers()["Buffer"] == 0.5


def test_what_a_memory_off_the_path_keeps_is_nothing() -> None:
    spec = Spec.from_string(TREE + MATMUL)
    spec.arch.nodes["Buffer"].tensors.keep = "~Side"
    assert component(spec.problem().einsums[0], "Buffer", Main="A").holding.must == {"A", "B", "C"}  # type: ignore[union-attr]


# --- costs ---------------------------------------------------------------------------------------


def buffer(fields: str, actions: str = "") -> Component:
    """A memory with the given fields, 10 J and 4/s for reads, 20 J and 2/s for writes."""
    both = actions or "[{name: read, energy: 10, throughput: 4}, {name: write, energy: 20, throughput: 2}]"
    node = f"!Memory {{name: Buffer, size: 64, actions: {both}{', ' if fields else ''}{fields}}}"
    text = MATMUL.replace("{All: 8}", "{weight: 4, Other: 8}")
    return component(einsum(arch(memory("Main"), node) + text), "Buffer", Main="A")


def test_latency_is_the_sum_over_actions_by_default() -> None:
    assert buffer("").latency == ({"read": 0.25, "write": 0.5},)
    assert buffer("n_parallel_instances: 2").latency == ({"read": 0.125, "write": 0.25},)
    assert component(einsum(ARCH + MATMUL), "Main").latency == ()  # infinitely fast


@pytest.mark.parametrize(
    ("expression", "forms"),
    [
        ("max(a.n_calls / a.throughput for a in actions)", [{"read": 0.25}, {"write": 0.5}]),
        ("sum(a.n_calls for a in actions) / 8", [{"read": 0.125, "write": 0.125}]),
        ("2 * actions[0].n_calls", [{"read": 2}]),
        ("0", []),
        ("sum(a.n_calls for a in actions if a.name == 'write') * slow", [{"write": 3}]),
    ],
)
def test_total_latency_is_a_maximum_of_linear_forms(expression: str, forms: list[dict[str, float]]) -> None:
    node = f'!Memory {{name: Buffer, size: 64, total_latency: "{expression}", n_parallel_instances: 7, ' + (
        "actions: [{name: read, energy: 10, throughput: 4}, {name: write, energy: 20, throughput: 2}]}"
    )
    problem = einsum(arch(memory("Main"), node) + "  variables: {slow: 3}\n" + MATMUL)
    assert list(component(problem, "Buffer", Main="A").latency) == forms


def test_scales() -> None:
    made = buffer("energy_scale: 3, throughput_scale: 2, latency_scale: 4")
    assert [a.energy for a in made.actions] == [30, 60]
    assert made.latency == ({"read": 0.5, "write": 1.0},)
    read = "{name: read, energy: 10, throughput: 4, energy_scale: 2, latency_scale: 3}"
    actions = f"[{read}, {{name: write, energy: 0, throughput: 1}}]"
    made = buffer("energy_scale: 3", actions)
    assert [a.energy for a in made.actions] == [60, 0]
    assert made.latency == ({"read": 0.75, "write": 1.0},)


@pytest.mark.parametrize(
    ("fields", "read", "values"),
    [
        ("", "", {"A": 1 / 8, "B": 1 / 4}),
        ("bits_per_action: 16", "", {"A": 2, "B": 4}),
        ("bits_per_action: 16", ", bits_per_action: 32", {"A": 4, "B": 8}),
        ("values_per_action: 3, bits_per_action: 16", "", {"A": 3, "B": 3}),
        ("values_per_action: {weight: 5}, bits_per_action: 16", "", {"A": 2, "B": 5}),
        ("values_per_action: 3", ", values_per_action: {weight: 7}", {"A": 3, "B": 7}),
        ("bits_per_value: {input: 16}", "", {"A": 1 / 16, "B": 1 / 4}),
    ],
)
def test_values_per_action(fields: str, read: str, values: dict[str, float]) -> None:
    actions = f"[{{name: read, energy: 1, throughput: 1{read}}}, {{name: write, energy: 1, throughput: 1}}]"
    found = buffer(fields, actions).actions[0].values_per_action
    assert {t: found[t] for t in values} == values
    assert set(component(einsum(ARCH + MATMUL), "MAC").actions[0].values_per_action.values()) == {1}


def test_a_field_sees_its_siblings_its_parents_and_other_nodes() -> None:
    main = memory("Main", "size: 640, bits_per_action: size / 10")
    fields = "size: Main.size / base, area: size * 2, spatial: [{name: X, fanout: size // 32}]"
    node = memory("Buffer", fields)
    spec = Spec.from_string("variables: {base: 10}\n" + arch(main, node) + MATMUL)
    problem = spec.problem().einsums[0]
    assert component(problem, "Buffer", Main="A").size == 64
    assert component(problem, "Buffer", Main="A").fanout == 2
    assert component(problem, "Main").actions[0].values_per_action["A"] == 8
    assert spec.areas()["Buffer"] == 256


def test_spatial_defaults() -> None:
    node = (
        "!Container {name: PEs, spatial: [{name: X, fanout: 2}, {name: Y, fanout: 3, reuse: input}, "
        "{name: Z, fanout: 4, reuse: input, may_reuse: Nothing, min_usage: 0.5, usage_scale: 2, "
        "loop_bounds: [{expression: All.rank_variables - m, operator: product <=, value: 2}]}]}"
    )
    x, y, z = component(einsum(arch(memory("Main"), node) + MATMUL), "PEs", Main="A").spatial
    assert (x.reuse, x.may_reuse) == (set(), {"A", "B", "C"})
    assert (y.reuse, y.may_reuse) == ({"A"}, {"A"})
    assert (z.reuse, z.may_reuse, z.min_usage, z.usage_scale) == ({"A"}, set(), 0.5, 2)
    assert z.loop_bounds == (LoopBound(frozenset({"k", "n"}), "product<=", 2),)


def test_a_size_of_zero_is_right_where_the_tensors_say_so() -> None:
    node = (
        f"!Memory {{name: Register, size: weight.bits_per_value if weight else 0, {FREE}, tensors: {{keep: weight}}}}"
    )
    text = MATMUL.replace("weight: B", "weight: Nothing")
    assert component(einsum(arch(memory("Main"), node) + text), "Register", Main="A").size == 0
    assert component(einsum(arch(memory("Main"), node) + MATMUL), "Register", Main="A").size == 8


def test_cost_model_fills_only_what_is_missing() -> None:
    node = "!Memory {name: Buffer, component_class: SRAM, size: 64, actions: [{name: read, energy: 5}]}"
    text = arch(memory("Main"), node) + MATMUL

    def model(query: ComponentQuery) -> ComponentCost:
        assert (query.name, query.component_class, query.actions) == ("Buffer", "SRAM", ("read", "write"))
        return ComponentCost({"read": 7, "write": 7}, {"read": 2, "write": 2}, leak_power=1)

    problem = Spec.from_string(text).problem(model)
    made = component(problem.einsums[0], "Buffer", Main="A")
    assert [a.energy for a in made.actions] == [5, 7]
    assert made.latency == ({"read": 0.5, "write": 0.5},)
    assert problem.einsums[0].leaks[0].power == 1
    with pytest.raises(SpecError, match=r"energy of write, throughput of read, throughput of write, leak_power"):
        Spec.from_string(text).problem()
    spec = Spec.from_string(text)
    spec.config.use_installed_component_models = False
    with pytest.raises(SpecError, match="energy of write"):
        spec.problem(model)


def test_the_hash_covers_what_a_cost_model_answers() -> None:
    node = "!Memory {name: Buffer, component_class: SRAM, size: 64}"
    spec = Spec.from_string(arch(memory("Main"), node) + MATMUL)

    def model(energy: float) -> str:
        costs = {"read": energy, "write": energy}
        return spec.problem(lambda _: ComponentCost(costs, costs, 0.0, 0.0)).spec_hash

    assert model(1) == model(1) != model(2)


def priced(energy: dict[str, float], speed: float = 1.0, source: str = "") -> tuple[Spec, ComponentCost]:
    """A spec whose buffer gives no costs, and a cost model's answer."""
    node = "!Memory {name: Buffer, component_class: SRAM, size: 64}"
    spec = Spec.from_string(arch(memory("Main"), node) + MATMUL)
    return spec, ComponentCost(energy, dict.fromkeys(energy, speed), 0.0, 3.0, source)


def test_an_answer_that_no_component_can_have_is_refused() -> None:
    spec, answer = priced({"read": -1.0, "write": 1.0}, 0.0)
    wrong = "energy of read: -1.0, throughput of read: 0.0, throughput of write: 0.0"
    with pytest.raises(SpecError, match=rf"Buffer \(component_class SRAM\) makes no sense: {wrong}$"):
        spec.problem(lambda _: answer)


def test_costs_and_who_gave_them() -> None:
    spec, answer = priced({"read": 2.0, "write": 3.0}, source="a data sheet")
    costs = {c.name: c for c in spec.costs(lambda _: answer)}
    assert costs["Buffer"].energy == {"read": 2.0, "write": 3.0}
    assert set(costs["Buffer"].sources.values()) == {"a data sheet"}
    assert costs["Main"].sources["energy of read"] == "spec"
    _, half = priced({"read": 2.0}, source="a data sheet")
    with pytest.raises(SpecError, match=r"has no energy of write, throughput of write: .* model knows .a data sheet.$"):
        spec.costs(lambda _: half)
    alone = Spec.from_string(arch(memory("Main")))  # an architecture without a workload has costs too
    assert [c.name for c in alone.costs()] == ["Main", "MAC"]


# --- the whole -----------------------------------------------------------------------------------


@pytest.mark.parametrize("metrics", ["'energy,latency'", "energy|latency", "[energy, latency]", "ENERGY | LATENCY"])
def test_metrics(metrics: str) -> None:
    for text in (f"mapper: {{ffm: {{metrics: {metrics}}}}}\n", f"mapper: {{metrics: {metrics}}}\n"):
        spec = Spec.from_string(ARCH + MATMUL + text)
        assert spec.problem().options.metrics == Metric.ENERGY | Metric.LATENCY
    spec.mapper.ffm.metrics = "edp"
    assert spec.problem().options.metrics == Metric.ENERGY_DELAY_PRODUCT
    spec.mapper.ffm.metrics = Metric.LATENCY
    assert spec.problem().options.metrics == Metric.LATENCY


def test_knobs_may_be_expressions() -> None:
    spec = Spec.from_string("variables: {n: 2}\n" + ARCH + MATMUL + "mapper: {max_fused_loops: n + 1}\n")
    assert spec.problem().options.max_fused_loops == 3
    assert spec.mapper.joiner == "ffm"


def test_a_problem_survives_pickling_and_later_changes_of_the_spec() -> None:
    spec = Spec.from_string(arch(memory("Main"), memory("Buffer", "size: 64, tensors: {keep: ~Main}")) + MATMUL)
    problem = spec.problem()
    spec.arch.nodes["Buffer"].size = 32
    again = pickle.loads(pickle.dumps(problem))  # noqa: S301 - our own
    held = {"Main": frozenset("B")}
    for made in (problem, again):
        assert made.einsums[0].paths[0].component(1, held).size == 64
        assert made.einsums[0].paths[0].component(1, held).holding.must == {"A", "C"}
    assert problem.spec_hash != spec.problem().spec_hash


def test_setting_fields_by_path() -> None:
    spec = Spec.from_string(arch(memory("Main"), memory("Buffer", "size: 64")) + MATMUL)
    spec.set("arch.nodes.Main.constraints.tensors.keep", "All")
    spec.set("arch.nodes.Buffer.size", "8 * 4")
    spec.set("arch.nodes.Buffer.actions.read.energy", 7)
    spec.set("workload.rank_sizes.M", "16")
    spec.set("mapper.max_fused_loops", "1")
    spec.set("mapper.joiner", "exhaustive")
    problem = spec.problem()
    assert component(problem.einsums[0], "Main").holding.must == {"A", "B", "C"}  # type: ignore[union-attr]
    made = component(problem.einsums[0], "Buffer", Main="A")
    assert (made.size, made.actions[0].energy) == (32, 7)
    assert problem.einsums[0].bounds["m"] == 16
    assert problem.options.max_fused_loops == 1
    assert spec.mapper.joiner == "exhaustive"


def test_a_value_set_in_python_has_no_place_in_the_file() -> None:
    spec = Spec.from_string(arch(memory("Main", "size: 64")) + MATMUL)
    node = spec.arch.nodes["Main"]
    assert node.position_of("size") is not None
    node.size = -1
    assert node.position_of("size") is None
    with pytest.raises(SpecError, match=r"arch\.nodes\.Main\.size: Main\.size must be positive, got -1"):
        spec.problem()
