"""How far an exploration is: counted wherever the work is done, told by the calling thread, kept Einsum by Einsum."""

from __future__ import annotations

import pickle
import threading
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ffcore import plugin
from ffcore.explore import progress as tally
from ffcore.explore.default import DefaultExplorer
from ffcore.explore.explorer import explore
from ffcore.explore.progress import StoppedError, Tally
from ffcore.plugin import Step
from ffcore.plugin.executors import as_completed
from ffcore.pmappings.set import EinsumPmappings
from ffcore.spec.problem import Problem
from tests.api.specs import chain


def matmuls(n: int = 4) -> Problem:
    """A chain whose inner Einsums are equal."""
    return chain(n_einsums=n).problem()


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is told at once, however quick it was."""
    monkeypatch.setattr(tally, "EVERY", 0.0)


@pytest.mark.parametrize("executor", [None, "serial", "threads", "forks"])
def test_steps_add_up_to_what_was_done_and_come_from_the_calling_thread(executor: str | None, eager: None) -> None:
    problem = matmuls()
    steps: list[tuple[Step, int]] = []

    def progress(news: str | Step) -> None:
        assert isinstance(news, Step)
        steps.append((news, threading.get_ident()))

    pool = None if executor is None else plugin.get("executor", executor, n_jobs=2)
    found = explore(problem, executor=pool, progress=progress)
    if pool is not None:
        pool.shutdown()
    assert {thread for _, thread in steps} == {threading.get_ident()}
    told = [step for step, _ in steps]
    assert {(step.phase, step.total) for step in told} == {("explore", 4)}
    assert [step.done for step in told] == sorted(step.done for step in told)
    last = told[-1]
    explored = [e for e in found if e.stats.evaluated]
    assert 1 < len(explored) < 4  # the inner Einsums are equal
    assert (last.done, last.fraction) == (4, 1.0)
    assert last.all_templates == last.templates == sum(len(e.templates) for e in explored)
    assert last.evaluated == sum(e.stats.evaluated for e in found)
    assert last.rows == sum(len(e.rows) for e in found)
    if executor in (None, "serial"):  # within an Einsum too, template by template
        assert {step.templates for step in told} == set(range(last.templates + 1))


def test_forked_workers_and_threads_count_where_the_parent_can_see_it() -> None:
    for kind in ("forks", "threads"):
        both = Tally([3, 5])
        calls = [(both.slot(n), count) for n, count in enumerate(both.all_templates)]
        pool = plugin.get("executor", kind, n_jobs=2)
        assert sorted(as_completed(pool, _count, calls)) == [(0, 3), (1, 5)]
        pool.shutdown()
        assert (both.templates, both.evaluated) == (8, 800)


def _count(slot: tally.EinsumProgress, templates: int) -> int:
    for _ in range(templates):
        slot._next = 0.0  # as if time had passed
        slot.template_done(lambda: templates * 100)
    return templates


def test_a_spawned_process_counts_for_itself() -> None:
    mine = Tally([3], lambda: pytest.fail("told elsewhere"))
    slot = pickle.loads(pickle.dumps(mine.slot(0)))  # noqa: S301 - as the pool does it
    slot.template_done(lambda: 7)
    assert (slot.tally.templates, slot.tally.evaluated) == (1, 7)
    assert (mine.templates, mine.evaluated) == (0, 0)
    mine.finish(0, 9)
    assert (mine.templates, mine.evaluated) == (3, 9)


def test_threads_give_up_at_the_next_template() -> None:
    mine = Tally([3])
    mine.slot(0).template_done(lambda: 1)
    mine.stop()
    with pytest.raises(StoppedError):
        mine.slot(0).template_done(lambda: 1)


def test_an_interrupted_exploration_stops_its_threads(eager: None) -> None:
    class Enough(Exception):
        pass

    tallies: list[Tally] = []

    def noted(*arguments: Any) -> Tally:
        tallies.append(Tally(*arguments))
        return tallies[0]

    def progress(step: str | Step) -> None:
        if isinstance(step, Step) and step.done:
            raise Enough

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ffcore.explore.explorer.Tally", noted)
        with ThreadPoolExecutor(2) as pool, pytest.raises(Enough):
            explore(matmuls(), executor=pool, progress=progress)
    assert tallies[0].stopped


def test_each_einsum_is_kept_before_the_next_one_is_explored(tmp_path: Path) -> None:
    kept: list[tuple[int, int]] = []

    def progress(step: str | Step) -> None:
        if isinstance(step, Step):
            kept.append((step.done, len(list(tmp_path.glob("*.npz")))))

    DefaultExplorer().explore(matmuls(), progress=progress, cache_dir=tmp_path)
    assert {done for done, _ in kept} == {0, 1, 2, 3, 4}
    assert all(files >= done for done, files in kept)
    assert (1, 1) in kept


def test_what_is_known_serves_its_equals_and_counts_stay_the_same(tmp_path: Path) -> None:
    problem = matmuls()
    whole = explore(problem)
    evaluated = [e.stats.evaluated for e in whole]
    assert evaluated[2] == 0 < evaluated[1]  # Matmul2 is equal to Matmul1
    for n in range(1, 4):
        new: list[EinsumPmappings] = []
        known = {e.einsum.name: e for e in whole[:n]}
        names = [e.einsum.name for e in whole[n:]]
        rest = explore(problem, einsum_names=names, known=known, found=new.append)
        assert [e.stats.evaluated for e in rest] == evaluated[n:]
        assert sorted(e.einsum.name for e in new) == names
        for mine, theirs in zip(rest, whole[n:], strict=True):
            assert (mine.rows.values == theirs.rows.values).all()
            assert [job.choice for job in mine.jobs] == [job.choice for job in theirs.jobs]


def test_a_copy_that_is_known_does_not_hide_what_its_original_took() -> None:
    """Only the first of its kind tells the evaluations: where it is missing it is explored again."""
    problem = matmuls()
    whole = explore(problem)
    (again,) = explore(problem, einsum_names=["Matmul1"], known={"Matmul2": whole[2]})
    assert again.stats.evaluated == whole[1].stats.evaluated > 0


class TestAsCompleted:
    @pytest.mark.parametrize("kind", [None, "serial", "threads", "forks"])
    def test_the_first_error_in_order_is_raised(self, kind: str | None) -> None:
        pool: Executor | None = None if kind is None else plugin.get("executor", kind, n_jobs=2)
        done = []
        with pytest.raises(ZeroDivisionError, match="call 1"):
            done.extend(as_completed(pool, _fails_from_1, [(n,) for n in range(4)]))
        if pool is not None:
            pool.shutdown()
        assert done in ([], [(0, 0)])

    @pytest.mark.parametrize("kind", ["threads", "forks"])
    def test_results_come_as_they_are_done_and_the_waiting_thread_is_not_idle(self, kind: str) -> None:
        pool = plugin.get("executor", kind, n_jobs=2)
        both, seen = Tally([1, 1]), list[int]()

        def meanwhile() -> None:
            seen.append(threading.get_ident())
            if len(seen) > 3:
                both.stop()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ffcore.plugin.executors.EVERY", 0.01)
            patch.setattr("ffcore.plugin.pools.EVERY", 0.01)
            order = [number for number, _ in as_completed(pool, _waits, [(both, 0), (both, 1)], meanwhile)]
        pool.shutdown()
        assert order == [1, 0]
        assert set(seen) == {threading.get_ident()}


def _fails_from_1(n: int) -> int:
    if n:
        raise ZeroDivisionError(f"call {n}")
    return n


def _waits(both: Tally, number: int) -> None:
    """Call 0 ends when the parent says so."""
    while number == 0 and not both.stopped:
        time.sleep(0.001)
