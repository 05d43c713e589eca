"""Where a search for the cause takes too long, what is plain is said at once."""

from __future__ import annotations

import math

import pytest

from ffcore.diagnose import CauseKind, explain_einsums, find_cause
from ffcore.diagnose.capacity import too_small
from ffcore.diagnose.culprits import Budget, Usage
from ffcore.diagnose.einsum import cause_of_einsums
from ffcore.diagnose.relax import costless
from ffcore.errors import TimeLimitError
from ffcore.explore.limits import Limits
from ffcore.spec.problem import Problem
from ffcore_ffm_joiner.join import FFMJoiner
from tests.api.specs import chain


def crowded(size: float) -> Problem:
    """A chain whose Buffer of ``size`` bits must keep all: a value of 8 bits of each of three tensors at least."""
    spec = chain(size=size, n_einsums=3)
    spec.arch.nodes["Buffer"].tensors.keep = "All"
    return spec.problem()


@pytest.fixture
def no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """No search of a diagnosis has an answer."""
    monkeypatch.setattr(Limits, "within", classmethod(lambda cls, enough, seconds: cls(soft=0.0, hard=0.0)))


def test_what_is_too_small_whatever_the_loops_is_told_without_a_search() -> None:
    cause = too_small(costless(crowded(16)))
    assert cause is not None
    assert (cause.kind, cause.memory, cause.needed_bits) == (CauseKind.CAPACITY, "Buffer", 24)
    assert not cause.needs[0].exact
    assert too_small(costless(crowded(24))) is None


def test_a_memory_that_is_too_small_is_named_with_what_it_needs_at_least(no_time: None) -> None:
    least = "what it must keep takes at least 24 bits (3 B)"
    said = f"Einsum Matmul0: Buffer is too small: it has 16 bits (2 B), and {least}"
    assert str(explain_einsums(crowded(16), ["Matmul0", "Matmul1"])) == said
    cause = find_cause(crowded(16), FFMJoiner().join)
    assert cause is not None
    assert cause.message == said


def test_what_is_not_plain_is_not_known(no_time: None) -> None:
    budget = Budget(60)
    cause = cause_of_einsums(crowded(1e6), ["Matmul1"], budget)
    assert (cause.kind, budget.spent) == (CauseKind.UNKNOWN, True)
    assert cause.message == "Einsum Matmul1: no mapping keeps all constraints and fits; to search why takes too long"
    cause = find_cause(crowded(1e6), FFMJoiner().join)
    assert cause is not None
    assert cause.message == "no mapping keeps all constraints and fits; to search why takes too long"


def test_after_a_question_without_an_answer_none_is_asked() -> None:
    budget, asked = Budget(60), []

    def probe(job: Problem, limits: Limits) -> Usage | None:
        asked.append(limits)
        raise TimeLimitError("too long")

    assert budget.ask(probe, crowded(16)) is None
    assert budget.ask(probe, crowded(16)) is None
    assert len(asked) == 1
    assert (budget.unsure, budget.spent) == (True, True)


def test_searches_are_hurried_where_something_is_known_and_not_where_time_is_no_matter() -> None:
    assert Budget(math.inf).limits.hard == math.inf
    calm, hurried = Budget(60), Budget(60)
    hurried.hurry()
    assert hurried.limits.hard < calm.limits.hard
