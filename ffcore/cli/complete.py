"""What the shell offers behind the cursor: names that are installed, files, fields. Never fails, imports on use."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import typer

_MANY = 200  # files listed at most

Complete = Callable[[typer.Context, str], list[str]]


def _quietly(found: Callable[[typer.Context, str], Iterable[str]]) -> Complete:
    """Those that begin with what stands there; none where something goes wrong, since there is nobody to tell."""

    @wraps(found)
    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        import io
        import warnings
        from contextlib import redirect_stderr, redirect_stdout

        try:
            with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                warnings.simplefilter("ignore")
                return sorted({name for name in found(ctx, incomplete) if name.startswith(incomplete)})
        except Exception:
            return []

    return complete


def _files(incomplete: str) -> list[str]:
    """YAML files beside what is typed, and those in the folders there (a folder's own name would end the word)."""
    folder, slash, start = incomplete.rpartition("/")
    prefix = folder + slash
    result: list[str] = []
    for path in sorted(Path(prefix or ".").iterdir()):
        if not path.name.startswith(start) or path.name.startswith("."):
            continue
        if path.is_dir():
            result += [f"{prefix}{path.name}/{inner.name}" for inner in sorted(path.iterdir()) if _is_spec(inner)]
        elif _is_spec(path):
            result.append(prefix + path.name)
        if len(result) >= _MANY:
            break
    return result[:_MANY]


def _is_spec(path: Path) -> bool:
    return path.suffix in (".yaml", ".yml")


def _arches() -> list[str]:
    from ffcore.spec.library import library_files, registered_arches

    return [*registered_arches(), *library_files("arches")]


def _workloads() -> list[str]:
    from ffcore.spec.library import library_files

    return list(library_files("workloads"))


@_quietly
def arches(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Architectures by name, and YAML files."""
    return [*_arches(), *_files(incomplete)]


@_quietly
def workloads(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Workloads by name, and YAML files."""
    return [*_workloads(), *_files(incomplete)]


@_quietly
def spec_files(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Whatever may be part of a spec."""
    return [*_arches(), *_workloads(), *_files(incomplete)]


def parts(kind: str) -> Complete:
    """Names of the installed parts of a kind."""

    @_quietly
    def installed(ctx: typer.Context, incomplete: str) -> Iterable[str]:
        from ffcore import plugin

        return plugin.names(kind)

    return installed


@_quietly
def picture_formats(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """What installed renderers of pictures write, and text."""
    from ffcore import plugin

    records = [r for r in plugin.records("renderer") if isinstance(r, plugin.RendererRecord) and r.draws != ("report",)]
    return ["txt", *(f for record in records for f in record.formats)]


@_quietly
def metrics(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """Metrics; behind a comma those that are not named yet."""
    from ffcore.spec.problem import Metric

    before, comma, _ = incomplete.rpartition(",")
    named = before.split(",")
    return [f"{before}{comma}{m.name.lower()}" for m in Metric if m.name and m.name.lower() not in named]


@_quietly
def fields(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """``--spec`` paths, one step further than what is typed, in the spec that the arguments before name."""
    if "=" in incomplete:
        return []
    from ffcore.spec import Spec
    from ffcore.spec.paths import steps_below

    done, dot, _ = incomplete.rpartition(".")
    given = _arguments(ctx)
    files = [given.get("arch"), *(given.get("workload") or ()), *(given.get("files") or ())]
    spec = Spec.from_yaml(*(f for f in files if f), jinja_parse_data=_variables(given))
    return [f"{done}{dot}{step}" for step in steps_below(spec, done)]


def _variables(given: Mapping[str, Any]) -> dict[str, Any]:
    from ffcore.cli.values import parse_assignments

    return dict(parse_assignments("--set", given.get("set_variable") or ()))


def _arguments(ctx: typer.Context) -> Mapping[str, Any]:
    """What the words before say. The parser gives up on them where the last one is an option that lacks its value."""
    words = shlex.split(os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS") or "")
    name = ctx.info_name or ""
    if name not in words:
        return ctx.params
    rest = words[words.index(name) + 1 :]
    option = next((i for i in reversed(range(len(rest))) if rest[i].startswith("-")), len(rest))
    return ctx.command.make_context(name, rest[:option], parent=ctx.parent, resilient_parsing=True).params


@_quietly
def arch_parameters(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """``--arch-param`` of the registered architecture that stands before."""
    from ffcore import plugin

    record = plugin.current_manager().record("arch", str(_arguments(ctx).get("arch")))
    return [f"{p.name}=" for p in record.parameters] if isinstance(record, plugin.ArchRecord) else []


@_quietly
def kinds(ctx: typer.Context, incomplete: str) -> Iterable[str]:
    """EinsumClasses of parts."""
    from ffcore.plugin import RECORD_TYPES

    return RECORD_TYPES
