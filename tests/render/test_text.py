"""Text of workloads, architectures and mappings; what cannot be known is left open, never an error."""

import pytest

from ffcore.mapping.convert import nests_to_tree
from ffcore.mapping.nest import Holder, Nest
from ffcore.mapping.nest import Temporal as NestTemporal
from ffcore.mapping.tree import Compute, MappingTree, Nested, Sequential, Spatial, Storage, Temporal, Toll
from ffcore.model.mapping import evaluate_joint
from ffcore.render import arch_text, workload_text
from ffcore.render.arch import view_arch
from ffcore.render.mapping import BranchView, ComputeView, HolderView, LoopView, TensorTile, title_of, view_mapping
from ffcore.render.workload import view_workload
from ffcore.spec import Spec

SPEC = """
variables: {BUFFER: 2 * KIB, KIB: 8192}
arch:
  nodes:
  - !Memory
    name: Main
    size: inf
    leak_power: 0
    area: 0
    actions: [{name: read, energy: 7.03e-12, throughput: 8 * 614e9}, {name: write, energy: 1e-12, throughput: inf}]
    tensors: {keep: ~Intermediates, may_keep: All}
  - !Toll
    name: Link
    direction: down
    leak_power: 1e-3
    area: 2e-6
    actions: [{name: read, energy: 2e-12, throughput: inf, bits_per_action: 8}]
    tensors: {keep: Inputs}
  - !Fork
    nodes:
    - !Compute {name: Side, leak_power: 0, area: 0, enabled: len(All) == 2,
                actions: [{name: compute, energy: 0, throughput: 1.05e9}]}
  - !Memory
    name: Buffer
    size: BUFFER
    spatial: [{name: Z, fanout: 4, reuse: Inputs, min_usage: 0.5, power_gateable: true}]
    leak_power: 0
    area: 0
    actions: [{name: read, energy: 1e-12, throughput: inf}, {name: write, energy: 1e-12, throughput: inf}]
  - !Memory
    name: Register
    size: Outputs.bits_per_value
    leak_power: 0
    area: 0
    actions: [{name: read, energy: 0, throughput: inf}, {name: write, energy: 0, throughput: inf}]
    tensors: {keep: Nothing}
  - !Compute {name: MAC, leak_power: 0, area: 0, actions: [{name: compute, energy: 8.4e-14, throughput: 1.05e9}]}
workload:
  rank_sizes: {M: 8, K: 4, N: 2 * K, P: 8, Q: 8}
  bits_per_value: {All: 8}
  einsums:
  - "T1[m, k] = T0[m, k] * W0[k]"
  - {einsum: "T2[m, n] = T1[m, k] * W1[k, n]", name: Second}
"""


@pytest.fixture(scope="module")
def spec() -> Spec:
    return Spec.from_string(SPEC)


def test_architecture_is_a_tree_in_human_units(spec: Spec) -> None:
    assert arch_text(spec).splitlines() == [
        "Main (Memory): unlimited",
        "│    read 7.03 pJ/bit, 614 GB/s",
        "│    write 1 pJ/bit",
        "│    keep ~Intermediates, may keep All",
        "└ Link (Toll): down",
        "  │    read 250 fJ/bit",
        "  │    keep Inputs",
        "  │    area 2 mm^2, leaks 1 mW",
        "  ├ Fork",
        "  │ └ Side (Compute)",
        "  │        compute 0 J, 1.05 Gop/s",
        "  │        enabled if len(All) == 2",
        "  └ Buffer (Memory): 2 KiB  [Z ×4]  4 in all",
        "    │    read, write 1 pJ/bit",
        "    │    Z: reuse Inputs, usage at least 50%, power gateable",
        "    └ Register (Memory): Outputs.bits_per_value  4 in all",
        "      │    read, write 0 J/bit",
        "      │    keep Nothing",
        "      └ MAC (Compute)  4 in all",
        "             compute 84 fJ, 1.05 Gop/s",
    ]


def test_architecture_without_its_spec(spec: Spec) -> None:
    # The spec's variables are out of reach, so the text shows what the user wrote.
    assert "Buffer (Memory): BUFFER  [Z ×4]" in arch_text(spec.arch)


def test_scales_count(spec: Spec) -> None:
    scaled = spec.copy()
    main = scaled.arch.nodes["Main"]
    main.energy_scale, main.actions[0].energy_scale, main.throughput_scale, main.latency_scale = 2, 3, 4, 0.5
    assert view_arch(scaled)[0].facts[0] == "read 42.2 pJ/bit, 4.91 TB/s"


def test_empty_architecture() -> None:
    assert arch_text(Spec()) == "(empty architecture)"


def test_workload_says_who_feeds_whom(spec: Spec) -> None:
    assert workload_text(spec).splitlines() == [
        "Einsum  formula                      operations",
        "T1      T1[m,k] = T0[m,k] * W0[k]    32",
        "Second  T2[m,n] = T1[m,k] * W1[k,n]  256",
        "",
        "rank variables: m 8, k 4, n 8",
        "",
        "tensor  shape      size  written by  read by",
        "T0      M 8 × K 4  32 B  (input)     T1",
        "W0      K 4        4 B   (input)     T1",
        "T1      M 8 × K 4  32 B  T1          Second",
        "W1      K 4 × N 8  32 B  (input)     Second",
        "T2      M 8 × N 8  64 B  Second      (result)",
    ]


def test_unknown_sizes_are_left_open() -> None:
    workload = Spec.from_string('workload: {einsums: ["Y[m] = A[m, k]"], rank_sizes: {M: 4}}').workload
    view = view_workload(workload)
    assert view.einsums[0].operations is None
    (tensor, _) = view.tensors
    assert (tensor.extents, tensor.size) == ("M 4 × K ?", "")
    assert "?" in workload_text(workload)


def test_affine_indices_and_copies() -> None:
    text = """
workload:
  bits_per_value: {All: 4}
  iteration_space_shape: [0 <= p < 6, 0 <= r < 3]
  einsums:
  - {name: Conv, tensor_accesses: [{name: I, projection: {H: 2 * p + r}}, {name: W, projection: {R: r}},
     {name: O, projection: {P: p}, output: true}]}
  - {name: Move, is_copy_operation: true, tensor_accesses: [{name: O, projection: {P: p}},
     {name: O2, projection: {P: p}, output: true}]}
"""
    view = view_workload(Spec.from_string(text))
    assert view.einsums[0].formula == "O[p] = I[2*p+r] * W[r]"
    assert view.einsums[1].formula == "O2[p] = copy of O[p]"
    assert view.tensors[0].extents == "H 13"
    assert view.tensors[0].size == "52 bit"


TREE = MappingTree(
    (
        Storage(("T0", "W0", "W1", "T2"), "Main"),
        Toll(("T0",), "Link"),
        Temporal("m", 2),
        Storage(("T1",), "Buffer"),
        Storage(("W1",), "Buffer", einsums=("Second",)),
        Sequential(
            (
                Nested((Spatial("k", 1, "Buffer", "Z"), Temporal("m", 1), Compute("T1", "Side"))),
                Nested((Storage(("T1",), "Register"), Temporal("k", 3), Temporal("n", 8), Compute("Second", "MAC"))),
            )
        ),
    )
)


def test_mapping_with_its_problem(spec: Spec) -> None:
    view = view_mapping(TREE, spec.problem())
    assert view.tensors == ("T0", "W0", "T1", "W1", "T2")
    main, link, loop, buffer, parts = view.steps
    first_users = [("T0", "32 B", "T1"), ("W0", "4 B", "T1"), ("W1", "32 B", "Second"), ("T2", "64 B", "Second")]
    assert main == HolderView("Main", tuple(TensorTile(t, s, True, (user,)) for t, s, user in first_users))
    assert link == HolderView("Link", (TensorTile("T0", users=("T1",)),), passes_only=True)
    assert loop == LoopView("m", "2", 4)
    # Consecutive holders of one memory are one band; T1 is new here, W1 is not.
    shared = TensorTile("T1", "8 B", True, ("T1", "Second"))
    assert buffer == HolderView("Buffer", (shared, TensorTile("W1", "32 B", users=("Second",))))
    assert isinstance(parts, BranchView)
    first, second = parts.branches
    assert first[:2] == (LoopView("k", "1", 4, "Buffer.Z", 4), LoopView("m", "1", 2))
    assert first[2:] == (ComputeView("T1", "Side", ("T0", "W0"), ("T1",)),)
    # Tiles of 3 in 4: the loop runs twice, once partly. Sizes start anew from the shared part in each branch.
    assert second[0] == HolderView("Register", (TensorTile("T1", "8 B", users=("Second",)),))
    assert second[1:3] == (LoopView("k", "3", 2), LoopView("n", "8", 1))
    assert title_of(view.steps) == "T1 … Second"
    # The compute Side is off for T1, so only Second's path tells of sizes.
    assert [(x.name, x.size, x.bounded) for x in view.levels] == [
        ("Main", "unlimited", False),
        ("Link", "", True),
        ("Buffer", "2 KiB", True),
        ("Register", "1 B", True),
    ]
    assert view.numbers is None


def test_mapping_with_its_numbers(spec: Spec) -> None:
    problem = spec.problem()
    nests = (
        Nest("T1", "MAC", (Holder("T0", "Main"), Holder("W0", "Main"), Holder("T1", "Main"), *_loops("m", "k"))),
        Nest(
            "Second",
            "MAC",
            (
                Holder("W1", "Main"),
                Holder("T2", "Main"),
                Holder("T1", "Main"),
                Holder("T1", "Buffer"),
                *_loops("m", "k", "n"),
            ),
        ),
    )
    evaluation = evaluate_joint(problem, nests)
    numbers = view_mapping(nests_to_tree(problem, nests), problem, evaluation).numbers
    assert numbers is not None
    assert numbers.energy == evaluation.total_energy
    assert numbers.title.startswith("energy ")
    assert numbers.title.endswith("J·s")
    assert list(numbers.costs) == ["T1", "Second"]
    second = evaluation.evaluations[1]
    cost = numbers.costs["Second"]
    assert (cost.energy, cost.latency) == (second.total_energy, second.total_latency)
    assert cost.energy_share == pytest.approx(second.total_energy / evaluation.total_energy)
    assert sum(c.latency_share for c in numbers.costs.values()) == pytest.approx(1)
    assert second.latency[cost.bottleneck] == max(second.latency.values())
    # Both loops over T1 are below its holder: one byte at a time is in the buffer of 2 KiB.
    assert cost.fullness["Buffer"] == numbers.fullest["Buffer"] == 1 / 2048
    assert numbers.costs["T1"].fullness.get("Buffer", 0) == 0


def _loops(*variables: str) -> tuple[NestTemporal, ...]:
    return tuple(NestTemporal(v, 1) for v in variables)


def test_values_of_another_width_in_one_memory(spec: Spec) -> None:
    wide = spec.copy()
    wide.arch.nodes["Buffer"].bits_per_value = {"T1": 32}
    buffer = view_mapping(TREE, wide.problem()).steps[3]
    assert isinstance(buffer, HolderView)
    assert [tile.size for tile in buffer.tiles] == ["32 B", "32 B"]  # four times the 8 B of T1; W1 as before


@pytest.mark.parametrize(
    ("nodes", "counts"),
    [
        ("[!Container {name: A, spatial: [{name: X, fanout: 3}]}, "
         "!Fork {nodes: [!Container {name: B, spatial: [{name: Y, fanout: 5}]}, !Compute {name: C}]}, "
         "!Compute {name: D}]", {"A": 3, "B": 15, "C": 15, "D": 3}),
        ("[!Container {name: A, spatial: [{name: X, fanout: 2}, {name: Y, fanout: 3}]}, !Hierarchical {nodes: "
         "[!Container {name: B, spatial: [{name: Z, fanout: 4}]}]}, !Compute {name: C}]", {"A": 6, "B": 24, "C": 24}),
        ("[!Container {name: A, spatial: [{name: X, fanout: len(All)}]}, !Compute {name: C}]", {"A": None, "C": None}),
    ],
)  # fmt: skip
def test_instances_multiply_down_the_tree(nodes: str, counts: dict[str, int | None]) -> None:
    found: dict[str, int | None] = {}
    pending = list(view_arch(Spec.from_string(f"arch: {{nodes: {nodes}}}")))
    while pending:
        view = pending.pop()
        pending += view.children
        if view.kind != "Fork":
            found[view.name] = view.instances
    assert found == counts


def test_mapping_without_a_problem() -> None:
    view = view_mapping(TREE)
    loop, parts = view.steps[2], view.steps[4]
    assert loop == LoopView("m", "2", None)
    assert isinstance(parts, BranchView)
    assert parts.branches[0][1] == LoopView("m", "1", 2)  # known from the loop above
    assert parts.branches[0][2] == ComputeView("T1", "Side")
    assert view.tensors == ("T0", "W0", "W1", "T2", "T1")


def test_loops_that_einsums_name_differently(spec: Spec) -> None:
    shared = Temporal({"T1": "k", "Second": "n"}, {"T1": 2, "Second": 4})
    tree = MappingTree((shared, Sequential((Compute("T1", "Side"), Compute("Second", "MAC")))))
    assert view_mapping(tree, spec.problem()).steps[0] == LoopView("k/n", "2/4", 2)


def test_a_mapping_of_another_workload_is_shown_as_far_as_it_goes(spec: Spec) -> None:
    tree = MappingTree((Storage(("Alien",), "Nowhere"), Temporal("zz", 0), Compute("Other", "X")))
    view = view_mapping(tree, spec.problem())
    holder = HolderView("Nowhere", (TensorTile("Alien", "", True),))
    assert view.steps == (holder, LoopView("zz", "0"), ComputeView("Other", "X"))


def test_accesses_of_a_tensor_are_backed_where_the_tensor_is() -> None:
    workload = SPEC[: SPEC.index("workload:")] + (
        "workload:\n  rank_sizes: {M: 8, K: 4, N: 8}\n  bits_per_value: {All: 8}\n"
        '  einsums: ["G[m, n] = X[m, k] * X[n, k]"]\n'
    )
    outer, inner = Storage(("X", "G"), "Main"), Storage(("X@1", "X@2"), "Buffer")
    steps = view_mapping(MappingTree((outer, inner, Compute("G", "MAC"))), Spec.from_string(workload).problem()).steps
    holders = [s for s in steps if isinstance(s, HolderView)]
    assert [[t.backing for t in s.tiles] for s in holders] == [[True, True], [False, False]]
