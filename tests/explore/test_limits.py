"""Limits of time and memory: what ends when, what is kept, and what is said."""

from __future__ import annotations

import math
import os
import pickle
import threading
import time
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from ffcore import map_workload_to_arch, plugin
from ffcore.errors import MemoryLimitError, NoValidMappingError, TimeLimitError
from ffcore.explore import explorer
from ffcore.explore import progress as tally
from ffcore.explore.default import DefaultExplorer
from ffcore.explore.explorer import NothingFound, explore
from ffcore.explore.fits import least_bits, may_fit
from ffcore.explore.limits import PATIENCE, SHARE, Limits
from ffcore.explore.progress import EinsumProgress, StoppedError, Tally
from ffcore.explore.reuse.equal import EinsumClasses
from ffcore.explore.search import solve
from ffcore.explore.search.spatial import SpatialMenu, smallest_usage
from ffcore.mapper.nothing import check_explored, nothing_joined
from ffcore.model.mapping import evaluate_joint
from ffcore.pmappings.guarantee import guarantee_of
from ffcore.pmappings.set import EinsumPmappings
from ffcore.spec import Spec
from ffcore.spec.problem import MapperOptions, Metric, Problem
from ffcore.system import addresses_left, available, cores, resident
from tests.api.specs import chain
from tests.oracle.compare import seeded

PAST, FUTURE = 0.0, math.inf
EXECUTORS = [None, "serial", "threads", "forks", "processes"]


def limited(**options: float | Metric) -> Problem:
    """A chain of which the inner Einsums are equal, under limits."""
    problem = chain(n_einsums=4).problem()
    return attrs.evolve(problem, options=attrs.evolve(problem.options, **options))


def pool_of(kind: str | None) -> Executor | None:
    return None if kind is None else plugin.get("executor", kind, n_jobs=2)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has to be compiled first, and however busy the machine is."""
    monkeypatch.setattr("ffcore.explore.limits.PATIENCE", 600.0)


class TestMemory:
    def test_this_process_has_some(self) -> None:
        before, ballast = resident(), [np.ones(8_000_000)]
        while resident() - before < 0.5 * ballast[0].nbytes and len(ballast) < 10:
            ballast.append(np.ones(8_000_000))  # the first ones may stand where freed ones stood
        assert resident() - before > 0.5 * ballast[0].nbytes
        assert available() > 0
        assert addresses_left() > 0

    def test_the_least_of_the_machine_and_of_all_control_groups_is_available(self, tmp_path: Path) -> None:
        assert available(tmp_path) == math.inf  # nothing is known
        write(tmp_path, "proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:    4000 kB\n")
        assert available(tmp_path) == 4000 * 1024
        write(tmp_path, "proc/self/cgroup", "0::/jobs/mine\n")
        group(tmp_path, "sys/fs/cgroup/jobs/mine", "memory.max", "max", "memory.current", 5, "inactive_file 0")
        assert available(tmp_path) == 4000 * 1024
        group(tmp_path, "sys/fs/cgroup/jobs", "memory.max", 3000, "memory.current", 2500, "inactive_file 500")
        assert available(tmp_path) == 1000  # of its parent; what it holds of files can be had

    def test_control_groups_of_the_first_version(self, tmp_path: Path) -> None:
        write(tmp_path, "proc/self/cgroup", "5:cpu:/a\n4:memory:/of/the/host\n0::/\n")
        names = "memory.limit_in_bytes", "memory.usage_in_bytes"
        group(tmp_path, "sys/fs/cgroup/memory", names[0], 8000, names[1], 7000, "total_inactive_file 100")
        assert available(tmp_path) == 1100

    @pytest.mark.parametrize(("quota", "wanted"), [("max 100000", 8), ("250000 100000", 3), ("1 100000", 1), ("", 8)])
    def test_a_quota_of_time_counts_as_cores(
        self, quota: str, wanted: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
        assert cores(tmp_path) == 8  # nothing is known
        write(tmp_path, "proc/self/cgroup", "0::/jobs/mine\n")
        write(tmp_path, "sys/fs/cgroup/jobs/cpu.max", quota)
        assert cores(tmp_path) == wanted  # of its parent

    @pytest.mark.parametrize(("quota", "wanted"), [(-1, 8), (150000, 2), (900000, 8)])
    def test_a_quota_of_the_first_version(
        self, quota: int, wanted: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
        write(tmp_path, "proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/of/the/host\n")
        write(tmp_path, "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", quota)
        write(tmp_path, "sys/fs/cgroup/cpu/a/cpu.cfs_period_us", 100000)
        assert cores(tmp_path) == wanted


def write(root: Path, name: str, text: object) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(f"{text}")


def group(root: Path, folder: str, limit: str, most: object, used: str, taken: object, stat: str) -> None:
    write(root, f"{folder}/{limit}", most)
    write(root, f"{folder}/{used}", taken)
    write(root, f"{folder}/memory.stat", f"anon 3\n{stat}\n")


class TestLimits:
    def test_without_any_there_are_four_fifths_of_what_is_available(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ffcore.explore.limits.available", lambda: 1e9)
        monkeypatch.setattr("ffcore.explore.limits.addresses_left", lambda: math.inf)
        monkeypatch.setattr("ffcore.explore.limits.resident", lambda: 2e8)
        limits = Limits.of(MapperOptions())
        assert (limits.soft, limits.hard, limits.memory) == (math.inf, math.inf, 2e8 + SHARE * 1e9)
        assert limits.room() == limits.memory - 2e8

    def test_time_is_shared_with_the_join(self) -> None:
        now = time.monotonic()
        limits = Limits.of(MapperOptions(time_limit=1000))
        assert limits.soft - now == pytest.approx(800, abs=50)
        assert limits.hard - now == pytest.approx(1000 + PATIENCE, abs=50)
        assert Limits.of_join(MapperOptions(time_limit=1000), 300).soft - now == pytest.approx(700, abs=50)
        assert Limits.of_join(MapperOptions(time_limit=1000), 999).soft - now == pytest.approx(200, abs=50)
        assert Limits.of_join(MapperOptions(), 999).soft == math.inf

    def test_threads_share_the_room_and_forked_workers_what_is_left_of_the_limit(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ffcore.explore.limits.resident", lambda: 300.0)
        mine = Limits(memory=1000, workers=2, base=200)
        assert (mine.own, mine.room()) == (1000, 350)
        workers = attrs.evolve(mine, home=os.getpid() + 1)
        assert (workers.own, workers.room()) == (600, 300)
        assert attrs.evolve(mine, workers=1).room() == 700

    def test_one_sentence_says_what_is_there_and_what_to_do(self) -> None:
        limits = Limits(memory=2**20, workers=2, stated=True, home=0, base=0)
        with pytest.raises(MemoryLimitError) as error:
            limits.check_memory("exploring Einsum QK")
        said = str(error.value)
        assert said.startswith("memory ran out while exploring Einsum QK: ")
        assert "the limit is 1 MiB, of which 512 KiB are for each of 2 jobs; constrain what runs" in said
        assert said.endswith("raise mapper.ffm.memory_limit (--memory-limit), or run one job at a time (--jobs 1)")
        assert "% of what is available" in str(Limits.of(MapperOptions()).out_of_memory("joining"))


class TestSlot:
    def slot(self, **limits: Any) -> EinsumProgress:
        return Tally([2, 3], None, Limits(**limits), ["QK", "AV"]).slot(1)

    def test_what_has_rows_ends_in_time_and_what_has_none_has_patience(self) -> None:
        slot = self.slot(soft=PAST, hard=FUTURE, seconds=30)
        slot.begin()
        slot.pulse(lambda: 1, 0.0)
        slot.has_rows = True
        with pytest.raises(TimeLimitError):
            slot.pulse(lambda: 1, 0.0)
        with pytest.raises(TimeLimitError):
            slot.template_done(lambda: 1)

    def test_what_has_nothing_when_patience_ends_is_named(self) -> None:
        slot = self.slot(soft=PAST, hard=PAST, seconds=30)
        with pytest.raises(TimeLimitError, match=r"the time limit of 30 s ended .* before a mapping of Einsum AV"):
            slot.pulse(lambda: 1, 0.0)

    def test_the_last_template_is_never_too_late(self) -> None:
        slot = self.slot(soft=PAST, hard=PAST)
        slot.tally.counts[1, 0] = 2
        slot.template_done(lambda: 1)

    def test_memory_is_looked_at_now_and_then(self, monkeypatch: pytest.MonkeyPatch) -> None:
        slot, looks = self.slot(memory=0.0), []
        slot._polled = math.inf
        slot.pulse(lambda: 1, 0.0)
        slot._polled = 0.0
        with pytest.raises(MemoryLimitError, match="while exploring Einsum AV"):
            slot.pulse(lambda: 1, 0.0)
        monkeypatch.setattr("ffcore.explore.limits.resident", lambda: looks.append(1) or 0.0)
        monkeypatch.setattr(tally, "POLL", 1000.0)
        slot = self.slot(memory=1.0, base=0.0)
        for _ in range(5):
            slot.pulse(lambda: 1, 0.0)
        assert len(looks) == 1
        assert slot.room() == 1

    def test_a_pulse_ends_a_thread_inside_of_a_template(self) -> None:
        slot = self.slot()
        slot.pulse(lambda: 1, 0.1)
        slot.tally.stop()
        with pytest.raises(StoppedError):
            slot.pulse(lambda: 1, 0.1)

    def test_shares_of_the_work_add_up_by_templates(self) -> None:
        mine = Tally([2, 6])
        assert mine.share == 0
        mine.slot(1).pulse(lambda: 1, 0.5)
        assert mine.share == 3 / 8
        mine.finish(0, 1)
        assert mine.share == 5 / 8
        assert Tally([]).share is None

    def test_time_is_shared_among_what_has_not_begun(self, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = [100.0]
        monkeypatch.setattr("ffcore.explore.progress.time.monotonic", lambda: clock[0])
        mine = Tally([10, 30, 40], None, Limits(soft=180.0))
        assert mine.allot(0) == pytest.approx(100 + 80 / 3)
        clock[0] = 110.0  # quicker than it might have been
        assert mine.allot(1) == 110 + 70 / 2
        clock[0] = 150.0
        assert mine.allot(2) == 180
        both = Tally([10, 30, 40], None, Limits(soft=180.0, workers=2))
        assert both.allot(1) == 150 + 30 * 2 / 3
        assert Tally([10]).allot(0) == math.inf

    def test_limits_and_names_go_along_to_other_processes(self) -> None:
        again = pickle.loads(pickle.dumps(self.slot(soft=3.0)))  # noqa: S301 - as the pool does it
        assert again.tally.limits.soft == pytest.approx(3.0, abs=0.1)  # told as a time from now
        assert again.tally.names == ("QK", "AV")


@pytest.mark.usefixtures("patient")
class TestTime:
    @pytest.mark.parametrize("kind", EXECUTORS)
    def test_every_einsum_has_rows_however_little_time_there_is(self, kind: str | None) -> None:
        problem, pool = limited(time_limit=1e-6), pool_of(kind)
        try:
            found = DefaultExplorer().explore(problem, executor=pool)
        finally:
            if pool is not None:
                pool.shutdown()
        assert all(len(e.rows) for e in found.einsums)
        assert not any(e.stats.complete for e in found.einsums)
        joined = plugin.get("joiner", "ffm").join(problem, found)
        promise = guarantee_of(plugin.get("joiner", "ffm"), problem, found, joined)
        assert promise is not None
        assert promise.factor == math.inf
        of_all = f"1 of {len(found.einsums[0].templates)} templates of Matmul0"
        assert str(promise).startswith(f"none (the time limit of 1 us ended the search: {of_all}, ")
        assert str(promise).endswith(", a part of those of 1 more Einsums were explored)")

    def test_with_time_enough_the_result_is_the_one_without_a_limit(self) -> None:
        plain, ample = limited(), limited(time_limit=1e6)
        found = DefaultExplorer().explore(ample)
        assert all(e.stats.complete for e in found.einsums)
        whole = DefaultExplorer().explore(plain)
        joiner = plugin.get("joiner", "ffm")
        ours, theirs = joiner.join(ample, found), joiner.join(plain, whole)
        assert [(m.energy, m.latency) for m in ours] == [(m.energy, m.latency) for m in theirs]
        assert str(guarantee_of(joiner, ample, found, ours)) == "optimal"

    def test_what_is_incomplete_is_not_kept_and_what_is_complete_serves_any_limit(self, tmp_path: Path) -> None:
        DefaultExplorer().explore(limited(time_limit=1e-6), cache_dir=tmp_path)
        assert not list(tmp_path.glob("*.npz"))
        DefaultExplorer().explore(limited(memory_limit=1e11), cache_dir=tmp_path, einsum_names=["Matmul0"])
        (kept,) = tmp_path.glob("*.npz")
        found = DefaultExplorer().explore(limited(time_limit=1e-6), cache_dir=tmp_path)
        assert [e.stats.complete for e in found.einsums] == [True, False, False, False]
        assert list(tmp_path.glob("*.npz")) == [kept]

    def test_an_einsum_without_anything_is_an_error_when_others_are_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        told: list[EinsumPmappings] = []
        monkeypatch.setattr(explorer, "explore_within", _only_matmul0)
        monkeypatch.setattr(Limits, "check_time", lambda _: None)
        with pytest.raises(TimeLimitError, match="Einsum Matmul3"):  # few templates first
            explore(limited(), found=told.append, limits=Limits(soft=PAST, hard=PAST))
        assert [e.einsum.name for e in told] == ["Matmul0"]

    def test_a_join_out_of_time_returns_what_it_knows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        problem = limited(time_limit=1e6)
        found = DefaultExplorer().explore(problem)
        joiner = plugin.get("joiner", "ffm")
        whole = {(m.energy, m.latency) for m in joiner.join(problem, found)}
        ended = Limits(soft=PAST, hard=FUTURE, seconds=30)
        monkeypatch.setattr("ffcore_ffm_joiner.join.Limits.of_join", lambda *_: ended)
        some = joiner.join(problem, found)
        assert some
        assert not any(m.proven for m in some)
        assert all(any(e <= m.energy and t <= m.latency for e, t in whole) for m in some)
        said = "none (the time limit of 1 Ms ended the join before everything was looked at)"
        assert str(guarantee_of(joiner, problem, found, some)) == said
        ended = attrs.evolve(ended, hard=PAST)
        with pytest.raises(TimeLimitError, match="the time limit of 30 s ended the join before any mapping was found"):
            joiner.join(problem, found)

    def test_where_usage_counts_the_best_costs_are_there_when_time_is_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        problem = limited(time_limit=1e6, metrics=Metric.ENERGY | Metric.RESOURCE_USAGE)
        found = DefaultExplorer().explore(problem)
        joiner = plugin.get("joiner", "ffm")
        whole = joiner.join(problem, found)
        assert len(whole) > 1
        assert all(m.proven for m in whole)
        monkeypatch.setattr(
            "ffcore_ffm_joiner.join.Limits.of_join", lambda *_: Limits(soft=PAST, hard=FUTURE, seconds=30)
        )
        (some,) = joiner.join(problem, found)
        assert not some.proven
        assert some.energy >= min(m.energy for m in whole) * (1 - 1e-12)
        assert evaluate_joint(problem, some.nests).fits

    def test_incomplete_pmappings_that_do_not_go_together_are_no_proof(self) -> None:
        problem = limited(time_limit=1e-6)
        found = DefaultExplorer().explore(problem)
        first = found.einsums[0]
        elsewhere = attrs.evolve(first, rows=attrs.evolve(first.rows, depth=first.rows.depth - 1))
        apart = attrs.evolve(found, einsums=(elsewhere, *found.einsums[1:]))
        joiner = plugin.get("joiner", "ffm")
        assert joiner.join(problem, apart) == []
        with pytest.raises(TimeLimitError, match="no mapping was found in time: the time limit of 1 us"):
            nothing_joined(problem, apart, joiner, exact=True)


def _only_matmul0(einsum: Any, templates: Any, shape: Any, options: Any, slot: EinsumProgress, *others: Any) -> object:
    if einsum.name == "Matmul0":
        slot.tally.limits = Limits()
        found = SOLVE(einsum, templates, shape, options, None, *others)
        slot.tally.limits = Limits(soft=PAST, hard=PAST)
        return found
    return SOLVE(einsum, templates, shape, options, slot, *others)


SOLVE = explorer.explore_within


class TestOutOfMemory:
    @pytest.mark.parametrize("kind", EXECUTORS[:-1])
    def test_an_allocation_that_fails_is_told_in_one_sentence_and_nothing_is_lost(
        self, kind: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(explorer, "explore_within", _greedy_from_matmul1)
        pool = pool_of(kind)
        with pytest.raises(MemoryLimitError, match="memory ran out while exploring Einsum Matmul1: "):
            DefaultExplorer().explore(limited(), executor=pool, cache_dir=tmp_path)
        if pool is not None:
            pool.shutdown()
        names = {path.name.split("-")[0] for path in tmp_path.glob("*.npz")}
        assert "Matmul0" in names
        assert not names & {"Matmul1", "Matmul2"}

    @pytest.mark.parametrize("kind", [None, "threads", "forks"])
    def test_more_than_the_limit_is_an_error(self, kind: str | None) -> None:
        pool = pool_of(kind)
        with pytest.raises(MemoryLimitError, match=r"Einsum Matmul0.*the limit is 1000 B"):
            explore(limited(memory_limit=1000), executor=pool)
        if pool is not None:
            pool.shutdown()


def _greedy_from_matmul1(einsum: Any, *others: Any) -> object:
    if einsum.name == "Matmul1":
        np.ones(2**57)
    return SOLVE(einsum, *others)


class TestNothingFits:
    @pytest.mark.parametrize("seed", range(40))
    def test_the_lower_bound_is_one_for_every_choice_of_spatial_trips(self, seed: int) -> None:
        problem = seeded(seed)
        if problem is None:
            return
        menu = SpatialMenu(problem.options)
        for templates in EinsumClasses.of(problem).templates:
            for template in templates:
                table = menu.table(template)
                if len(table.trips):
                    usage, least = smallest_usage(template, table), least_bits(template)
                    assert least.keys() == usage.keys()
                    assert all(bits <= usage[i].min() for i, bits in least.items())
            if any(len(menu.fitting(t)[1]) for t in templates):
                assert may_fit(templates)

    def test_what_cannot_fit_is_refused_before_anything_is_explored(self, monkeypatch: pytest.MonkeyPatch) -> None:
        spec = chain(size=8, n_einsums=3)  # one value, where each Einsum has three tensors
        spec.arch.nodes["Buffer"].tensors.keep = "All"
        problem = spec.problem()
        monkeypatch.setattr(explorer, "explore_within", lambda *_: pytest.fail("explored"))
        with pytest.raises(NothingFound) as nothing:
            explore(problem, stop_at_nothing=True)
        assert nothing.value.names == ("Matmul0", "Matmul1", "Matmul2")
        assert not any(len(e.rows) for e in explore(problem))
        monkeypatch.undo()
        with pytest.raises(NoValidMappingError, match=r"Buffer is too small: it has 8 bits .*24 bits") as error:
            check_explored(problem, DefaultExplorer().explore(problem))
        assert error.value.memory == "Buffer"

    def test_persistent_tensors_that_fit_alone_but_not_together_are_refused_at_once(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def persistent(size: int) -> Problem:
            spec = chain(size=size, n_einsums=3)  # each weight has 4 x 4 values of 8 bits
            spec.workload.persistent_tensors = "W0 | W1 | W2"
            spec.arch.nodes["Buffer"].tensors.keep = "W0 | W1 | W2"
            spec.arch.nodes["Main"].tensors.keep = "~(W0 | W1 | W2)"
            spec.arch.nodes["Main"].tensors.may_keep = "Nothing"
            return spec.problem()

        found = DefaultExplorer().explore(persistent(3 * 128 + 24))
        assert plugin.get("joiner", "ffm").join(found.problem, found)
        alone = DefaultExplorer().explore(persistent(2 * 128 + 24), einsum_names=["Matmul0"])
        assert len(alone.einsums[0].rows)
        monkeypatch.setattr(explorer, "explore_within", lambda *_: pytest.fail("explored"))
        with pytest.raises(NoValidMappingError, match=r"Buffer is too small: .* at least 384 bits \(48 B\) together"):
            DefaultExplorer().explore(persistent(2 * 128 + 24))

    def test_an_einsum_without_rows_ends_the_exploration(self) -> None:
        def nothing(*given: Any) -> tuple[EinsumPmappings, None]:
            found, _ = SOLVE(*given)
            none = found.rows.take(np.zeros(0, np.int64))
            return attrs.evolve(found, rows=none, offsets=np.zeros(1, np.int64)), None

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(explorer, "explore_within", nothing)
            with pytest.raises(NothingFound) as found:
                explore(limited(), stop_at_nothing=True)
        assert found.value.names == ("Matmul0", "Matmul1", "Matmul3")  # and Matmul2 is as Matmul1


def test_an_interruption_reaches_threads_inside_of_a_template(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []

    def endless(
        einsum: Any, templates: Any, shape: Any, options: Any, slot: EinsumProgress, threads: int, scope: Any
    ) -> None:
        try:
            while True:
                slot.pulse(lambda: 1, 0.5)
                time.sleep(0.001)
        except StoppedError:
            ended.append(einsum.name)
            raise

    def progress(news: object) -> None:
        if threading.active_count() > 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(explorer, "explore_within", endless)
    pool = plugin.get("executor", "threads", n_jobs=2)
    with pytest.raises(KeyboardInterrupt):
        explore(limited(), executor=pool, progress=progress)
    pool.shutdown(wait=True, cancel_futures=True)
    assert len(ended) == 2


@pytest.mark.parametrize("kept", [False, True])
def test_time_ends_while_templates_are_made(kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders of many memories take minutes to write down, before there is an Einsum to explore."""
    spec = chain(size=1000, n_einsums=1)
    spec.mapper.ffm.time_limit = 1e-9
    monkeypatch.setattr("ffcore.explore.limits.PATIENCE", 0.0)
    monkeypatch.setattr(explorer, "explore_within", lambda *_: pytest.fail("explored"))
    with pytest.raises(TimeLimitError, match="the time limit of 1 ns ended the search while templates were made"):
        DefaultExplorer().explore(spec.problem(), cache_dir=tmp_path if kept else None)
    assert not list(tmp_path.iterdir())


def test_time_ends_while_loops_out_of_order_are_still_being_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are hundreds of choices, of which each is an outline, before any label is made."""
    calls: list[int] = []

    def up(work: object, made: int) -> None:
        calls.append(made)
        if len(calls) == 3:
            raise TimeLimitError("time is up")

    nodes = "".join(
        f"  - !Memory\n    name: {name}\n    size: {size}\n    tensors: {{keep: All}}\n    spatial: [{spatial}]\n"
        "    actions: [{name: read, energy: 1, throughput: inf}, {name: write, energy: 1, throughput: inf}]\n"
        for name, size, spatial in (("Main", "inf", ""), ("Buffer", 1000, ""), ("Reg", 100, "{name: X, fanout: 8}"))
    )
    spec = Spec.from_string(
        f"arch:\n  nodes:\n{nodes}  - !Compute\n    name: MAC\n"
        "    actions: [{name: compute, energy: 1, throughput: 1}]\n"
        "workload:\n  rank_sizes: {A: 12, B: 12, C: 12}\n  bits_per_value: {All: 1}\n"
        '  einsums: ["Y[A: a, B: b] = X[A: a, C: c] * T[C: c, B: b]"]\n'
        "mapper: {ffm: {force_memory_hierarchy_order: False}}\n"
    )
    monkeypatch.setattr(solve._Work, "pulse", up)
    with pytest.raises(TimeLimitError):
        explore(spec.problem())
    assert calls == [0, 0, 0]


def test_time_and_memory_are_looked_at_while_loops_across_an_array_are_laid_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three loops of 240 trips come to a hundred thousand classes, of each dimension: a minute before any label."""
    monkeypatch.setattr("ffcore.explore.limits.PATIENCE", 0.0)
    spec = Spec.from_yaml("simple", "matmuls", N_EINSUMS=1, M=720720, KN=720720)
    spatial = [{"name": f"D{i}", "fanout": 720720, "may_reuse": "All"} for i in range(20)]
    spec.set("arch.nodes.GlobalBuffer.spatial", spatial)
    spec.mapper.ffm.time_limit = 1.0
    begin = time.process_time()
    with pytest.raises(TimeLimitError):
        map_workload_to_arch(spec, n_jobs=1)
    assert time.process_time() - begin < 10.0
