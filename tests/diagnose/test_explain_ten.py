"""`ff explain` on specs without a mapping, more than ten, each for a reason of another kind: it names the true one.

Sizes are checked both ways, by `ff map`'s own call and by the exhaustive mapper: what is reported as the smallest that
would do, does, and one bit less does not. So is every way out that is suggested.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import attrs
import pytest

import ffcore as ff
from ffcore.errors import NoValidMappingError, SpecError
from ffcore.spec import Spec
from ffcore_exhaustive.mapper import exhaustive_map
from ffcore_explain.explanation import Explanation
from tests.diagnose.specs import ANY, BRANCHES, arch, array, buffered, matmuls, memory

pytest.importorskip("ffcore_ffm_joiner", reason="the plugin ffm_joiner is not installed")

LEAVE = "keep: ~Intermediates, may_keep: Nothing"  # MainMemory leaves intermediates to the GlobalBuffer
TAKE = "keep: ~MainMemory.tensors, may_keep: Nothing"
PERSISTENT = "  persistent_tensors: weight\n"
NO_RESEND = "keep: All, no_refetch_from_above: All, no_resend_to_below: All"
BOUND = "loop_bounds: [{{expression: weight.rank_variables, operator: '{}', value: {}}}]"
TILE = "tile_shape: [{expression: output.rank_variables, operator: '>=', value: 64}]"
IDLE = "enabled: len(All) == 2"  # for copies only
G, L = "{{ GlobalBuffer }}", "{{ LocalBuffer }}"


@attrs.frozen
class Case:
    """A spec whose sizes are Jinja parameters, and what is to be said of it."""

    text: str
    kind: str
    words: tuple[str, ...]  # of the message
    fields: tuple[str, ...]  # what is at fault, as `FIELD: TEXT` where TEXT stands in its line of the file
    sizes: dict[str, int] = attrs.field(factory=dict)  # bits, of the memories that are parameters
    needs: dict[str, int] = attrs.field(factory=dict)  # bits, the smallest that would do
    instead: dict[str, int] = attrs.field(factory=dict)
    einsum: str = "Matmul0"
    then: str = ""  # the kind of what is the matter beside


def case(arch_text: str, workload: str, kind: str, *words: str, mapper: str = "", **more: object) -> Case:
    fields = f"metrics: [energy, latency]{', ' + mapper if mapper else ''}"
    return Case(f"{arch_text}\n{workload}\nmapper: {{{fields}}}\n", kind, words, **more)  # type: ignore[arg-type]


def computes(text: str, fields: str) -> str:
    return text.replace("    name: MAC\n", f"    name: MAC\n    {fields}\n")


FORK = (
    "  - !Fork\n    nodes:\n    - !Compute\n      name: Vector\n      enabled: False\n      actions:\n"
    "      - {name: compute, energy: 1, throughput: 1}\n"
)

CASES = {
    "a register one bit too small": case(
        buffered(1000, memory("Register", "{{ Register }}", "keep: weight")),
        matmuls(1),
        "capacity",
        "Register is too small",
        sizes={"Register": 7},
        needs={"Register": 8},
        fields=("arch.nodes.Register.size: Register",),
    ),
    "an intermediate one bit too large for a buffer, as nothing may be fused": case(
        buffered(G, main=LEAVE, buffer=TAKE),
        matmuls(2),
        "capacity",
        "GlobalBuffer is too small",
        "or instead: without max_fused_loops = 0",
        mapper="max_fused_loops: 0",
        sizes={"GlobalBuffer": 63},
        needs={"GlobalBuffer": 64},
        fields=("arch.nodes.GlobalBuffer.size: GlobalBuffer", "mapper.ffm.max_fused_loops: max_fused_loops: 0"),
    ),
    "a tensor has to wait while others are made": case(
        buffered(G, main=LEAVE, buffer=TAKE),
        BRANCHES,
        "capacity",
        "GlobalBuffer is too small while Einsum MakeC runs",
        mapper="max_fused_loops: 0",
        einsum="MakeC",
        sizes={"GlobalBuffer": 191},
        needs={"GlobalBuffer": 192},
        fields=("arch.nodes.GlobalBuffer.size: GlobalBuffer", "mapper.ffm.max_fused_loops: max_fused_loops: 0"),
    ),
    "persistent weights one bit too large": case(
        buffered(G, main="keep: ~weight, may_keep: Nothing", buffer="keep: weight, may_keep: Nothing"),
        matmuls(2, extra=PERSISTENT),
        "capacity",
        "GlobalBuffer is too small",
        sizes={"GlobalBuffer": 63},
        needs={"GlobalBuffer": 64},
        fields=("arch.nodes.GlobalBuffer.size: GlobalBuffer",),
    ),
    "two memories that must grow together": case(
        arch(
            memory("MainMemory", "inf", ANY),
            memory("GlobalBuffer", G, "keep: weight, may_keep: Nothing"),
            memory("LocalBuffer", L, "keep: input, may_keep: Nothing"),
        ),
        matmuls(1),
        "capacity",
        "2 must grow together",
        sizes={"GlobalBuffer": 7, "LocalBuffer": 5},
        needs={"GlobalBuffer": 8, "LocalBuffer": 8},
        fields=("arch.nodes.GlobalBuffer.size: GlobalBuffer", "arch.nodes.LocalBuffer.size: LocalBuffer"),
    ),
    "either of two memories could grow": case(
        arch(
            memory("MainMemory", "inf", LEAVE),
            memory("GlobalBuffer", G, "keep: Nothing, may_keep: Intermediates"),
            memory("LocalBuffer", L, "keep: ~MainMemory.tensors - GlobalBuffer.tensors, may_keep: Nothing"),
        ),
        matmuls(2),
        "capacity",
        "or instead: LocalBuffer of 8 bits",
        sizes={"GlobalBuffer": 7, "LocalBuffer": 3},
        needs={"GlobalBuffer": 8},
        instead={"LocalBuffer": 8},
        fields=("arch.nodes.GlobalBuffer.size: GlobalBuffer", "arch.nodes.LocalBuffer.size: LocalBuffer"),
    ),
    "no memory may keep the output": case(
        buffered(1000, main="keep: input, may_keep: weight", buffer="keep: weight, may_keep: All, bypass: output"),
        matmuls(1),
        "constraint",
        "no choice of holders keeps T1",
        "may_keep of MainMemory (it may not keep T1)",
        fields=(
            "arch.nodes.MainMemory.tensors.may_keep: may_keep: weight",
            "arch.nodes.GlobalBuffer.tensors.bypass: bypass: output",
        ),
    ),
    "each memory leaves the output to the other": case(
        buffered(
            1000,
            main="keep: Nothing, may_keep: input | weight",
            buffer="keep: output if not MainMemory.tensors else Nothing, may_keep: Nothing",
        ),
        matmuls(1),
        "constraint",
        "no choice of holders keeps T1",
        fields=(
            "arch.nodes.MainMemory.tensors.may_keep: input | weight",
            "arch.nodes.GlobalBuffer.tensors.may_keep: output if not",
        ),
    ),
    "two Einsums keep a tensor in different memories": case(
        buffered(1000, main="keep: ~input, may_keep: Nothing", buffer="keep: input, may_keep: Nothing"),
        matmuls(2),
        "constraint",
        "Matmul0 and Matmul1 cannot agree on T1",
        "Matmul0 can keep it only in MainMemory, Matmul1 only in GlobalBuffer",
        einsum="Matmul1",
        fields=("arch.nodes.MainMemory.tensors.may_keep: keep: ~input",),
    ),
    "a loop bound that divides nothing": case(
        buffered(1000, array(BOUND.format("==", 3))),
        matmuls(1, m=2),
        "constraint",
        "no choice of spatial loops is legal",
        "loop_bounds of spatial dimension X of Array",
        fields=("arch.nodes.Array.spatial.X.loop_bounds.0: value: 3",),
    ),
    "loop bounds against a limit on spatial loops": case(
        buffered(1000, array(BOUND.format("product>=", 2))),
        matmuls(1),
        "constraint",
        "no choice of spatial loops is legal",
        mapper="max_loops_per_spatial_dimension: 0",
        fields=("arch.nodes.Array.spatial.X.loop_bounds.0: product>=",),
    ),
    "the only Compute is for copies": case(
        computes(buffered(1000), IDLE),
        matmuls(2),
        "compute",
        "no Compute is enabled",
        fields=(f"arch.nodes.MAC.enabled: {IDLE}",),
    ),
    "Computes in a fork and behind it, both off": case(
        computes(buffered(1000, FORK), IDLE),
        matmuls(1),
        "compute",
        "no Compute is enabled",
        fields=("arch.nodes.Vector.enabled: enabled: False", f"arch.nodes.MAC.enabled: {IDLE}"),
    ),
    "a tile larger than the tensor": case(
        buffered(1000, buffer=f"keep: weight, may_keep: Nothing, {TILE}"),
        matmuls(1),
        "constraint",
        "no choice of tile sizes",
        "tile_shape of GlobalBuffer (m, n1 >= 64)",
        fields=("arch.nodes.GlobalBuffer.tensors.tile_shape.0: value: 64",),
    ),
    "no loop leaves anything in place": case(
        buffered(1000, main="keep: All", buffer=NO_RESEND),
        matmuls(1),
        "constraint",
        "no loop over m and n0 and n1 is allowed anywhere",
        fields=("arch.nodes.GlobalBuffer.tensors.no_resend_to_below: no_resend_to_below",),
    ),
    "no order of tensors is allowed": case(
        buffered(1000, main="keep: All", buffer="keep: All, tensor_order_options: []"),
        matmuls(1),
        "constraint",
        "no order of its holders is legal",
        fields=("arch.nodes.GlobalBuffer.tensors.tensor_order_options: tensor_order_options: []",),
    ),
    "two things at once": case(
        buffered(1000, array(BOUND.format(">=", 8)), memory("Register", "{{ Register }}", "keep: weight")),
        matmuls(1),
        "constraint",
        "loop_bounds of spatial dimension X of Array",
        "some memory is too small as well",
        sizes={"Register": 7},
        fields=("arch.nodes.Array.spatial.X.loop_bounds.0: value: 8",),
        then="capacity",
    ),
}


def load(file: Path, sizes: dict[str, int]) -> Spec:
    return Spec.from_yaml(file, jinja_parse_data=sizes)


def oracle_finds(spec: Spec) -> bool:
    try:
        return bool(exhaustive_map(spec.problem(), dominance=True))
    except NoValidMappingError:
        return False
    except SpecError as error:
        if not re.search("no memory may keep|no Compute is enabled", str(error)):
            raise
        return False


def map_finds(spec: Spec) -> bool:
    try:
        return len(ff.map_workload_to_arch(spec, n_jobs=1)) > 0
    except NoValidMappingError:
        return False


def explained(spec: Spec) -> Explanation:
    # Without a time limit nothing needs to be stopped, so that no processes are needed.
    return ff.explain(spec, time_limit=math.inf, n_jobs=1)


@pytest.mark.parametrize("name", CASES)
def test_true_cause_and_ways_out(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    file = tmp_path / "spec.yaml"
    file.write_text(case.text)
    spec = load(file, case.sizes)
    assert not oracle_finds(spec)
    found = explained(spec)
    assert found.feasible is False
    reason = found.reasons[0]
    assert (reason.cause.kind, reason.cause.einsum) == (case.kind, case.einsum)
    for word in case.words:
        assert word in reason.cause.message
    lines = case.text.splitlines()
    places = [(f.path, f.position) for f in reason.fields]
    assert [path for path, _ in places] == [f.split(": ")[0] for f in case.fields]
    for (_, position), expected in zip(places, case.fields, strict=True):
        text = expected.split(": ", 1)[1]
        if position is not None:
            assert position.file == str(file)
            assert text in lines[position.line - 1]
        else:  # a default follows from what stands beside it
            assert any(text in line for line in lines)
    check_sizes(file, case, found)
    check_ways_out(spec, case, found)


def check_sizes(file: Path, case: Case, found: Explanation) -> None:
    """The sizes reported do, for both mappers; one bit less in any memory does not."""
    cause = found.reasons[0].cause
    assert {n.memory: n.needed_bits for n in cause.needs} == case.needs
    assert {n.memory: n.needed_bits for n in cause.instead} == case.instead
    assert all(n.exact and n.has_bits == case.sizes[n.memory] for n in (*cause.needs, *cause.instead))
    options = [case.needs, *({memory: bits} for memory, bits in case.instead.items())]
    for sizes in options:
        if not sizes:
            continue
        enough = load(file, case.sizes | sizes)
        assert map_finds(enough)
        assert oracle_finds(enough)
        for name, bits in sizes.items():
            less = load(file, case.sizes | sizes | {name: bits - 1})
            assert not map_finds(less)
            assert not oracle_finds(less)


def check_ways_out(spec: Spec, case: Case, found: Explanation) -> None:
    """What is said to give a mapping does, and the other way round."""
    for suggestion in found.reasons[0].suggestions:
        changed = spec.copy()
        for setting in suggestion.settings:
            changed.set(setting.path, setting.value)
        assert suggestion.works is oracle_finds(changed), suggestion
    assert [str(r.cause.kind) for r in found.reasons[1:]] == [case.then] * bool(case.then)
    assert found.way_out
    for setting in found.way_out:
        spec.set(setting.path, setting.value)
    assert oracle_finds(spec)
    assert map_finds(spec)
