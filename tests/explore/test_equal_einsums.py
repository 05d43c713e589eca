"""Equal Einsums: templates made and explored once, and nothing changes by it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import attrs
import numpy as np
import pytest
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from ffcore.errors import SpecError
from ffcore.explore.explorer import explore
from ffcore.explore.reuse import equal
from ffcore.explore.reuse.bypass import useful
from ffcore.explore.reuse.equal import EinsumClasses, signature
from ffcore.pmappings.nests import nest_of_row
from ffcore.spec import Spec
from ffcore.spec.problem import Problem
from ffcore.templates import einsum_choices, einsum_templates
from tests.examples import examples
from tests.oracle_problems import OracleProblem, oracle_problems

UNUSUAL = """
arch:
  nodes:
  - !Memory
    name: Main
    size: inf
    actions: [{name: read, energy: 10, throughput: 16}, {name: write, energy: 10, throughput: 16}]
    tensors: {keep: All, tensor_order_options: [[weight, input, output], [output, weight, input]]}
  - !Toll
    name: Link
    direction: down
    actions: [{name: read, energy: 1, throughput: inf}]
    tensors: {keep: input | output}
  - !Memory
    name: Buffer
    size: 256
    actions: [{name: read, energy: 2, throughput: 64}, {name: write, energy: 3, throughput: inf}]
    tensors: {keep: Nothing, may_keep: All, no_refetch_from_above: weight, no_resend_to_below: input}
  - !Container
    name: Array
    spatial:
    - {name: X, fanout: 4, reuse: input, loop_bounds: [{expression: output.rank_variables, operator: "<=", value: 2}]}
  - !Compute
    name: MAC
    actions: [{name: compute, energy: 1, throughput: 1}]
"""


def chain(count: int, size: int = 8, arch: str = "simple") -> Problem:
    return Spec.from_yaml(arch, "matmuls", N_EINSUMS=count, M=size, KN=size).problem()


@contextmanager
def no_sharing() -> Iterator[None]:
    """Each Einsum counts as one of its own kind."""
    numbers = itertools.count()
    with mock.patch.object(equal, "signature", side_effect=lambda *_: next(numbers)):
        yield


def found(problem: Problem) -> list[tuple[object, ...]]:
    """Per Einsum all that a join may see, but for counts of evaluations."""
    result = []
    for e in explore(problem):
        rows = tuple(getattr(e.rows, f.name).tolist() for f in attrs.fields(type(e.rows)))
        nests = [nest_of_row(e, row) for row in range(min(len(e.rows), 40))]
        result.append((e.einsum, e.templates, e.jobs, e.shape, rows, e.offsets.tolist(), nests))
    return result


@pytest.mark.parametrize("count", [3, 6, 12])
def test_templates_are_made_once_for_equal_einsums(count: int) -> None:
    problem = chain(count)
    with mock.patch.object(equal, "einsum_templates", wraps=einsum_templates) as made:
        explored = explore(problem)
    # the first and the last have a tensor that is not shared
    assert [call.args[0].name for call in made.call_args_list] == ["Matmul0", "Matmul1", f"Matmul{count - 1}"]
    assert [e.einsum.name for e in explored if e.stats.evaluated] == ["Matmul0", "Matmul1", f"Matmul{count - 1}"]


def test_an_einsum_that_is_not_wanted_is_not_explored() -> None:
    problem = chain(5)
    some = explore(problem, einsum_names=["Matmul2", "Matmul3"])
    assert [(e.einsum.name, e.stats.evaluated > 0) for e in some] == [("Matmul2", True), ("Matmul3", False)]
    everything = explore(problem)
    for mine, full in zip(some, everything[2:4], strict=True):
        assert mine.templates == full.templates
        assert mine.jobs == full.jobs
        assert np.array_equal(mine.rows.values, full.rows.values)


@st.composite
def chains(draw: st.DrawFn) -> Problem:
    """Chains of equal products on random architectures."""
    drawn = draw(oracle_problems(kind="chain"))
    spec = Spec.from_string(f"{drawn.arch}\n{drawn.mapper}")
    size, count = draw(st.sampled_from([2, 3, 4])), draw(st.integers(3, 6))
    spec.workload = Spec.from_yaml("simple", "matmuls", N_EINSUMS=count, M=size, KN=size).workload
    if persistent := draw(st.sampled_from(["", "", "W1", "weight"])):
        spec.set("workload.persistent_tensors", persistent)
    try:
        return spec.problem()
    except SpecError:  # a tensor that no memory may keep
        return reject()


@settings(max_examples=examples(10, 25), deadline=None)
@given(chains())
def test_sharing_changes_nothing(problem: Problem) -> None:
    """Rows, templates and nests are the same when each Einsum is explored for itself."""
    imperfect = problem.options.explore_imperfect_temporal_loops or problem.options.explore_imperfect_spatial_loops
    assume(not imperfect)
    shared = found(problem)
    with no_sharing():
        assert found(problem) == shared


def written_again(problem: Problem) -> int:
    """Assert that each Einsum's templates are those that it would have by itself; how many were written again."""
    kinds = EinsumClasses.of(problem)
    for member in kinds.members:
        choices = useful(member.einsum, einsum_choices(member.einsum), problem.options)
        assert kinds.templates_of(member) == einsum_templates(member.einsum, problem.options, choices)
    return len(kinds.members) - len(kinds.templates)


@settings(max_examples=examples(20, 50), deadline=None)
@given(chains())
def test_renamed_templates_equal_those_generated_directly(problem: Problem) -> None:
    assert written_again(problem) >= len(problem.einsums) - 4  # all but the ends, and that of a persistent tensor


@settings(max_examples=30, deadline=None)
@given(oracle_problems())
def test_templates_of_problems_of_all_kinds(drawn: OracleProblem) -> None:
    try:
        problem = drawn.problem()
    except SpecError:
        reject()
    written_again(problem)


def test_renamed_templates_under_unusual_constraints() -> None:
    workload = Spec.from_yaml("simple", "matmuls", N_EINSUMS=5, M=4, KN=4).workload
    spec = Spec.from_string(UNUSUAL)
    spec.workload = workload
    assert written_again(spec.problem()) == 2
    spec.mapper.ffm.force_memory_hierarchy_order = False
    spec.mapper.ffm.max_pmapping_templates_per_einsum = 7
    assert written_again(spec.problem()) == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("arch.nodes.MainMemory.tensors.keep", "~Intermediates | T2"),
        ("arch.nodes.MainMemory.tensors.no_refetch_from_above", "W2"),
        ("arch.nodes.MainMemory.tensors.tensor_order_options", "[[W2, input], [input, weight]]"),
        ("workload.persistent_tensors", "W2"),
        ("workload.bits_per_value", "{W2: 4, Other: 8}"),
        ("workload.rank_sizes.N2", 4),
    ],
)
def test_what_tells_one_einsum_apart(field: str, value: object) -> None:
    """Something holds for Matmul2 only, so it is equal to none of the others."""
    spec = Spec.from_yaml("simple", "matmuls", N_EINSUMS=7, M=8, KN=8)
    spec.set(field, value)
    kinds = [member.kind for member in EinsumClasses.of(spec.problem()).members]
    assert kinds.count(kinds[2]) == 1
    assert kinds[4] == kinds[5]


def test_signature_takes_names_by_position() -> None:
    problem = chain(4)
    known: dict[object, int] = {}
    first, *_, last = problem.einsums
    middle = problem.einsums[1:-1]
    assert len({signature(e, einsum_choices(e), known) for e in middle}) == 1
    assert len({signature(e, einsum_choices(e), known) for e in (first, middle[0], last)}) == 3
