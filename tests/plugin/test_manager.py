"""Discovery, lookup, conflicts and broken plugins, on entry points made here."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

import ffcore.plugin
from ffcore.errors import PluginError
from ffcore.plugin import (
    RECORD_TYPES,
    ArchRecord,
    JoinerRecord,
    ModelRecord,
    Parameter,
    PluginManager,
    current_manager,
    hookimpl,
)
from ffcore.plugin.hooks import HOOK_OF_KIND


@attrs.frozen
class Distribution:
    name: str
    version: str


@attrs.define
class FakeEntryPoint:
    name: str
    dist: Distribution
    loader: Callable[[], Any]
    loads: int = 0
    value: str = "somewhere"

    def load(self) -> Any:
        self.loads += 1
        return self.loader()


def plugin(hook: str, *records: Any, name: str = "p", dist: str = "acme", version: str = "1.2") -> FakeEntryPoint:
    module = types.ModuleType(name)

    def implementation() -> Any:
        return iter(records)

    implementation.__name__ = hook
    setattr(module, hook, hookimpl(implementation))
    return FakeEntryPoint(name, Distribution(dist, version), lambda: module)


class Part:
    """Has what a joiner and a model must have."""

    guarantee = join = evaluate = len


def joiner(name: str, priority: int = 0, factory: Any = Part) -> JoinerRecord:
    return JoinerRecord(name, "a joiner", factory, priority=priority)


def test_builtin_parts_are_there_without_any_plugin() -> None:
    manager = PluginManager([])
    assert manager.names("joiner") == ("single",)
    assert manager.names("explorer") == ("default",)
    assert manager.names("model") == ("default",)
    assert set(manager.names("executor")) == {"forks", "processes", "serial", "threads"}
    assert manager.problems() == ()


def test_records_are_sorted_by_priority_then_name() -> None:
    manager = PluginManager([plugin("ffcore_joiners", joiner("z"), joiner("b", 30), joiner("a"), joiner("first", -1))])
    assert manager.names("joiner") == ("first", "a", "z", "single", "b")


def test_nothing_is_loaded_before_the_first_lookup_and_then_once() -> None:
    point = plugin("ffcore_joiners", joiner("x"))
    manager = PluginManager([point])
    assert point.loads == 0
    manager.names("joiner")
    manager.get("joiner", "x")
    assert point.loads == 1


def test_factory_reference_is_imported_when_the_part_is_made() -> None:
    manager = PluginManager([plugin("ffcore_joiners", joiner("ok", factory="ffcore.pmappings.single:SingleJoiner"))])
    assert type(manager.get("joiner", "ok")).__name__ == "SingleJoiner"


def test_unknown_name_lists_what_is_installed_and_what_to_install() -> None:
    with pytest.raises(PluginError) as caught:
        PluginManager([]).get("joiner", "ffm")
    assert str(caught.value) == "joiner 'ffm' is not installed; installed: single; pip install ffcore-ffm-joiner"


def test_misspelt_name_gets_a_suggestion() -> None:
    with pytest.raises(PluginError, match="did you mean 'single'"):
        PluginManager([]).get("joiner", "singel")


def test_unknown_kind_lists_the_kinds() -> None:
    with pytest.raises(PluginError, match="joiner"):
        PluginManager([]).names("joyner")


def test_conflict_names_both_distributions_with_versions_and_spares_other_parts() -> None:
    manager = PluginManager(
        [
            plugin("ffcore_joiners", joiner("x"), joiner("mine"), name="one", dist="acme", version="1.2"),
            plugin("ffcore_joiners", joiner("x"), name="two", dist="bolt", version="0.3"),
        ]
    )
    with pytest.raises(PluginError, match=r"joiner 'x' is registered by acme 1\.2 and bolt 0\.3"):
        manager.get("joiner", "x")
    manager.get("joiner", "mine")
    assert len(manager.problems()) == 1


def test_a_plugin_cannot_take_a_builtin_name() -> None:
    manager = PluginManager([plugin("ffcore_joiners", joiner("single"))])
    with pytest.raises(PluginError, match=r"acme 1\.2 and ffcore"):
        manager.record("joiner", "single")


@pytest.mark.parametrize("disabled", ["acme", "ACME", "p", "all"])
def test_disabled_plugin_is_not_even_imported(disabled: str) -> None:
    point = plugin("ffcore_joiners", joiner("x"))
    manager = PluginManager([point], [disabled])
    assert "x" not in manager.names("joiner")
    assert "single" in manager.names("joiner")
    assert point.loads == 0
    assert [p.disabled for p in manager.plugins] == [False, True]


def test_disabled_distribution_is_named_where_its_part_is_missed() -> None:
    manager = PluginManager([plugin("ffcore_joiners", joiner("ffm"), dist="ffcore-ffm-joiner")], ["all"])
    with pytest.raises(PluginError, match="ffcore-ffm-joiner is disabled"):
        manager.get("joiner", "ffm")


def broken_import() -> FakeEntryPoint:
    def load() -> Any:
        raise ImportError("no module named 'gone'")

    return FakeEntryPoint("bad", Distribution("rusty", "9"), load)


def misspelt_hook() -> FakeEntryPoint:
    return plugin("ffcore_joyners", joiner("x"), name="bad", dist="rusty", version="9")


def wrong_record() -> FakeEntryPoint:
    return plugin("ffcore_joiners", ModelRecord("x", "", object), name="bad", dist="rusty", version="9")


def raising_hook() -> FakeEntryPoint:
    module = types.ModuleType("bad")

    @hookimpl
    def ffcore_joiners() -> Any:
        yield joiner("half")
        raise RuntimeError("oh")

    module.ffcore_joiners = ffcore_joiners  # type: ignore[attr-defined]
    return FakeEntryPoint("bad", Distribution("rusty", "9"), lambda: module)


@pytest.mark.parametrize("make", [broken_import, misspelt_hook, wrong_record, raising_hook])
def test_broken_plugin_is_reported_and_hurts_nobody_else(make: Callable[[], FakeEntryPoint]) -> None:
    manager = PluginManager([make(), plugin("ffcore_joiners", joiner("good"))])
    assert manager.names("joiner") == ("good", "single")
    (problem,) = manager.problems()
    assert problem.startswith("rusty 9 (bad) is broken: ")
    with pytest.raises(PluginError, match="rusty 9 is broken"):
        manager.get("joiner", "x")


def test_factory_that_fails_names_its_distribution_when_used() -> None:
    manager = PluginManager([plugin("ffcore_joiners", joiner("x", factory="no_such_package:Joiner"))])
    with pytest.raises(PluginError, match=r"joiner 'x' of acme 1\.2 does not work: ModuleNotFoundError"):
        manager.get("joiner", "x")


@pytest.mark.parametrize(
    ("record", "lacking"), [(joiner("x", factory=dict), "guarantee and join"), (ModelRecord("x", "", dict), "evaluate")]
)
def test_a_part_without_a_method_of_its_kind_is_refused_when_it_is_made(record: Any, lacking: str) -> None:
    manager = PluginManager([plugin(f"ffcore_{record.kind}s", record)])
    with pytest.raises(PluginError, match=rf"{record.kind} 'x' of acme 1\.2 does not work: it has no method {lacking}"):
        manager.get(record.kind, "x")


def test_architecture_gets_its_parameters_and_refuses_others() -> None:
    record = ArchRecord("npu", "", lambda cores=1: {"arch": cores}, parameters=[Parameter("cores", 1)])
    manager = PluginManager([plugin("ffcore_arches", record)])
    assert manager.get("arch", "npu", cores=8) == {"arch": 8}
    with pytest.raises(PluginError, match=r"no parameter 'core'; parameters: cores; did you mean 'cores'\?"):
        manager.get("arch", "npu", core=8)


@pytest.mark.parametrize(("name", "factory"), [("", object), ("a b", object), ("x", "no colon"), ("x", 3)])
def test_record_refuses_a_wrong_name_or_factory(name: str, factory: Any) -> None:
    with pytest.raises(ValueError, match=r"name|factory"):
        JoinerRecord(name, "", factory)


def test_records_are_frozen() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        joiner("x").name = "y"  # type: ignore[misc]


def test_environment_variable_disables_plugins_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FFCORE_DISABLE_PLUGINS", "all")
    assert ffcore.plugin.names("joiner") == ("single",)
    assert all(p.disabled for p in current_manager().plugins[1:])
    monkeypatch.delenv("FFCORE_DISABLE_PLUGINS")
    assert not any(p.disabled for p in current_manager().plugins)


def test_every_kind_has_a_record_type_and_a_hook() -> None:
    assert set(RECORD_TYPES) == set(HOOK_OF_KIND)


def test_serial_executor_keeps_the_executor_contract() -> None:
    with ffcore.plugin.get("executor", "serial", n_jobs=1) as executor:
        assert list(executor.map(abs, [-1, 2])) == [1, 2]
        failed = executor.submit(int, "x")
        assert isinstance(failed.exception(), ValueError)


@pytest.mark.parametrize("name", ["serial", "threads", "processes", "forks"])
def test_executors_refuse_no_jobs(name: str) -> None:
    with pytest.raises(PluginError, match="at least 1"):
        ffcore.plugin.get("executor", name, n_jobs=0)


@pytest.mark.parametrize("name", ["threads", "processes", "forks"])
def test_pools_run_calls(name: str) -> None:
    with ffcore.plugin.get("executor", name, n_jobs=2) as executor:
        assert list(executor.map(abs, [-1, 2, -3])) == [1, 2, 3]


def run_forks(body: str) -> list[str]:
    """The words that some code prints; it has ``forks``, an executor of two jobs."""
    head = "import os, threading, time, ffcore.plugin\nforks = ffcore.plugin.get('executor', 'forks', n_jobs=2)\n"
    code = head + textwrap.dedent(body)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    return done.stdout.split()


def test_forks_are_processes_of_their_own_unless_there_are_other_threads() -> None:
    said = run_forks(
        """
        def here(_): return os.getpid() == parent
        parent = os.getpid()
        print(*forks.map(here, range(3)))
        print(*forks.map(here, [1]))
        stop = threading.Event()
        threading.Thread(target=stop.wait, daemon=True).start()
        print(*forks.map(here, range(3)))
        """
    )
    assert said == ["False"] * 3 + ["True"] * 4


def test_forks_raise_what_a_call_raised_after_the_results_before_it() -> None:
    said = run_forks(
        """
        found = []
        try:
            for x in forks.map(lambda x: 12 // x, [4, 3, 0, 2]): found.append(x)
        except ZeroDivisionError:
            print(*found)
        """
    )
    assert said == ["3", "4"]


def test_a_fork_that_dies_is_told_at_once() -> None:
    said = run_forks(
        """
        from concurrent.futures import BrokenExecutor
        try:
            list(forks.map(lambda x: os._exit(9) if x else time.sleep(30), range(2)))
        except BrokenExecutor as error:
            print(error)
        """
    )
    assert " ".join(said) == "a worker ended with exit code 9"


@pytest.mark.parametrize("end", ["forks.shutdown(cancel_futures=True)", "raise KeyboardInterrupt"])
def test_forks_end_with_whoever_wanted_their_results(end: str, tmp_path: Path) -> None:
    """Large results that nobody reads, and calls that never end, hold nothing up."""
    run_forks(
        f"""
        def work(x):
            open({str(tmp_path)!r} + f"/{{os.getpid()}}", "w").close()
            return b"x" * 10**7 if x < 2 else time.sleep(600)
        try:
            results = forks.map(work, range(8))
            next(results)
            {end}
        except KeyboardInterrupt:
            pass
        """
    )
    pids = [int(path.name) for path in tmp_path.iterdir()]
    assert len(pids) == 2
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
