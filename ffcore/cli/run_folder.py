"""The folder of ``--out``: what it is of, and for ``ff map`` how far it came and what it found, so that it can go on.

``run.json``   the run: status, arguments, versions, parameters, times, counts
``spec.json``  the whole spec as plain data
``pmappings``  those of each Einsum, as soon as it is explored (ffcore.explore.reuse.cache)

Results are written beside them (``ffcore.cli.output``). A folder may come from a stranger: what is read here is data,
checked like any input. Files are replaced at once or not at all.
"""

from __future__ import annotations

import platform
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from ffcore._version import __version__
from ffcore.cli.arguments import Arguments
from ffcore.cli.run_json import ANEW, as_json, encoded, read_json, read_spec, write_spec
from ffcore.errors import FFError
from ffcore.files import check_no_link, real, write_atomically

if TYPE_CHECKING:
    from ffcore.cli.output import Report
    from ffcore.spec import Spec

FORMAT = 1
RUN, SPEC, PMAPPINGS = "run.json", "spec.json", "pmappings"
STATUSES = ("running", "interrupted", "failed", "no_valid_mapping", "done")  # of a search
EVALUATED = "evaluated"  # there was no search in this folder


@attrs.define
class RunFolder:
    """A folder that this process writes; ``info`` is the content of its ``run.json``."""

    path: Path
    info: dict[str, Any]

    @property
    def pmappings(self) -> Path:
        """Where they are kept. Raises ``OSError`` for a link there."""
        check_no_link(self.path / PMAPPINGS)
        return self.path / PMAPPINGS

    @property
    def resume_command(self) -> str:
        """What goes on with the run."""
        cache = self.info.get("parameters", {}).get("cache")
        return f"ff map --resume {shlex.quote(str(self.path))}" + (f" --cache {shlex.quote(cache)}" if cache else "")

    def found(self, report: Report) -> None:
        """The search is over: note what the report says of it. The status stays: results are yet to be written."""
        stats = dict(report.stats)
        self.info["seconds"] = stats.pop("seconds", {})
        self.info["guarantee"] = stats.pop("guarantee", None)
        self.info["counts"] = {"mappings": len(report.mappings), **stats}
        self._write()

    def finish(self, status: str, seconds: Mapping[str, float], error: str | None = None, phase: str = "") -> None:
        """The run has ended. Raises ``OSError`` where that cannot be written down."""
        assert status in STATUSES
        times = {name: round(s, 4) for name, s in seconds.items()}
        self.info |= {"status": status, "error": error, "phase": phase, "ended": _now(), "seconds": times}
        self._write()

    def _write(self) -> None:
        write_atomically(self.path / RUN, as_json(self.info))


def begin(out: Path, spec: Spec, arguments: Arguments, *, jobs: int | None, cache: Path | None) -> RunFolder:
    """A folder for a run of ``spec``, with its ``spec.json`` and ``run.json``.

    Results of another spec, that an earlier run left there, are removed; its pmappings stay, since each is used only
    for what it was found for. Raises ``OSError`` where the folder cannot be written.
    """
    from ffcore.results.earlier import check_folder, remove_earlier

    out.mkdir(parents=True, exist_ok=True)
    check_folder(out)
    digest = spec.hash()
    if _hash_in(out) != digest:
        remove_earlier(out, (arguments.arch, *arguments.workload))
    info = _new_info(arguments) | {"spec_hash": digest, "parameters": parameters_of(spec, jobs, cache)}
    folder = RunFolder(out, info)
    write_spec(out / SPEC, spec)
    folder._write()
    return folder


def begin_without_spec(out: Path, arguments: Arguments) -> RunFolder | None:
    """A folder for a run whose spec was not read to its end, which nobody can go on with; None where another run's
    files are.

    Raises ``OSError`` where the folder cannot be written.
    """
    if (out / RUN).exists():
        return None
    out.mkdir(parents=True, exist_ok=True)
    return RunFolder(out, _new_info(arguments) | {"spec_hash": None, "parameters": {}})


def parameters_of(spec: Spec, jobs: int | None, cache: Path | None) -> dict[str, Any]:
    """Which parts and options a run uses."""
    from ffcore.mapper.choice import explorer_of
    from ffcore.mapper.workers import DEFAULT_JOBS
    from ffcore.spec.fields import spec_fields
    from ffcore.spec.mapper import FFM, metric_names

    mapper = spec.mapper
    limits = {n: getattr(mapper.ffm, n) for n in spec_fields(FFM) if not n.endswith("metrics")}
    return {
        "explorer": explorer_of(spec),
        "joiner": mapper.joiner,
        "joiner_options": encoded(mapper.joiner_options),
        "model": mapper.model,
        "cost_model": mapper.cost_model,
        "cost_model_options": encoded(mapper.cost_model_options),
        "executor": mapper.executor,
        "executor_options": encoded(mapper.executor_options),
        "metrics": metric_names(mapper.ffm.metrics),
        "limits": encoded(limits),
        "jobs": jobs or DEFAULT_JOBS.n,
        "cache": None if cache is None else str(real(cache)),
    }


def versions() -> dict[str, Any]:
    """Versions of all that can bear on a result."""
    from importlib.metadata import version

    from ffcore.plugin import current_manager

    plugins = {p.distribution: p.version for p in current_manager().plugins[1:] if not (p.disabled or p.error)}
    core = {"ffcore": __version__, "python": platform.python_version()}
    return core | {name: version(name) for name in ("numpy", "numba")} | {"plugins": plugins}


def _new_info(arguments: Arguments) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "status": "running",
        "error": None,
        "phase": "",  # in which it was interrupted
        **called(arguments.arch, arguments.workload),
        "arguments": attrs.asdict(arguments.from_anywhere()),
        "versions": versions(),
        "started": _now(),
        "resumed": [],
        "ended": None,
        "seconds": {},
        "counts": {},
        "guarantee": None,
    }


def called(arch: str, workload: Sequence[str]) -> dict[str, Any]:
    """How ``run.json`` calls what the command line asked for."""
    names = [re.sub(r"\.ya?ml$", "", Path(name).name) for name in (arch, *workload[:1])]
    return {"title": " on ".join(reversed(names)), "command": command()}


def command() -> list[str]:
    """The command line, for ``run.json``."""
    return ["ff", *sys.argv[1:]]


def write_run(out: Path, spec: Spec, known: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write the ``run.json`` of mappings of ``spec`` that no run in this folder found, and return its content.

    ``known`` is what there is to say of them. To be called before the results are written and ``write_spec`` after
    them: until then the spec is not what ``run.json`` says, and nobody takes the old results for those of the new spec.
    Raises ``OSError`` where the folder cannot be written.
    """
    info = {"format": FORMAT, "status": EVALUATED, "versions": versions(), "spec_hash": spec.hash(), "ended": _now()}
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / RUN, as_json(info | dict(known)))
    return info | dict(known)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


# -- reading ------------------------------------------------------------------------------------------


@attrs.frozen
class Stopped:
    """A run that can go on."""

    path: Path
    info: Mapping[str, Any]
    arguments: Arguments

    def spec(self) -> Spec:
        """The spec that the run is of. Raises ``FFError`` for one that is damaged or was changed."""
        spec = read_spec(self.path / SPEC)
        if spec.hash() != self.info["spec_hash"]:
            raise FFError(f"{self.path / SPEC} is not what this run began with; {ANEW}")
        return spec

    def go_on(self, spec: Spec, *, jobs: int | None, cache: Path | None) -> RunFolder:
        """The folder, to be written again. Raises ``OSError`` where it cannot be."""
        again = {
            "status": "running",
            "error": None,
            "phase": "",
            "versions": versions(),
            "parameters": parameters_of(spec, jobs, cache),
            "resumed": [*self.info["resumed"], _now()],
            "ended": None,
        }
        folder = RunFolder(self.path, {**self.info, **again})
        folder._write()
        return folder


def read(path: Path) -> Stopped:
    """The run of a folder. Raises ``FFError`` where there is none, or one that is damaged or of another version."""
    file = path / RUN
    if not file.is_file():
        raise FFError(f"{path} holds no run to go on with: there is no {RUN}, which `ff map --out` writes")
    info = read_json(file)
    if info.get("status") == EVALUATED:
        raise FFError(f"{path} holds no search to go on with, only mappings that were evaluated; {ANEW}")
    try:
        made_by = info["versions"]["ffcore"]
        if info["format"] != FORMAT or made_by != __version__:
            raise FFError(f"{path} was written by ffcore {made_by}, and this is {__version__}; {ANEW}")
        if info["status"] not in STATUSES or not isinstance(info["resumed"], list):
            raise ValueError("its status makes no sense")
        if info["spec_hash"] is None:
            # Its arguments are not obeyed: whoever wrote them could have files read, or others told what to do.
            raise FFError(
                f"the run in {path} ended before its spec was read: give its command again, with --out {path}"
            )
        if not isinstance(info["spec_hash"], str):
            raise TypeError("spec_hash should be text")
        arguments = Arguments(**info["arguments"])
    except (KeyError, TypeError, ValueError) as error:
        said = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise FFError(f"{file} is damaged ({said}); {ANEW}") from None
    return Stopped(path, info, arguments)


def _hash_in(out: Path) -> str | None:
    """The hash of the spec whose results are in a folder, if it can be told."""
    try:
        return str(read(out).info["spec_hash"])
    except (FFError, OSError):
        return None


def known_so_far(phase: str, known: str) -> str:
    """In words, where a run was and what was known of it."""
    doing = _DOING.get(phase, phase)
    said = f"interrupted while {doing}" if doing else "interrupted"
    return f"{said}: {known}" if known else said


_DOING: Mapping[str, str] = {
    "imports": "loading",
    "spec": "reading the spec",
    "templates": "making templates",
    "explore": "exploring",
    "join": "joining",
    "no fusion": "comparing with no fusion",
    "evaluate": "evaluating",
    "count": "counting pmappings",
    "output": "writing results",
}

__all__: Sequence[str] = ["Arguments", "RunFolder", "Stopped", "begin", "begin_without_spec", "known_so_far", "read"]
