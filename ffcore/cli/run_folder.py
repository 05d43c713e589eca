"""The folder of ``ff map --out``, from which a run can go on: what it is of, how far it came, what it found so far.

``run.json``   the run: status, arguments, versions, parameters, times, counts
``spec.json``  the whole spec as plain data
``pmappings``  those of each Einsum, as soon as it is explored (ffcore.explore.cache)

Results are written beside them (``ffcore.cli.output``). A folder may come from a stranger: what is read here is data,
checked like any input. Files are replaced at once or not at all.
"""

from __future__ import annotations

import json
import math
import platform
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

import ffcore
from ffcore.errors import FFError, SpecError
from ffcore.files import write_atomically

if TYPE_CHECKING:
    from ffcore.cli.output import Report
    from ffcore.spec import Spec

FORMAT = 1
RUN, SPEC, PMAPPINGS = "run.json", "spec.json", "pmappings"
STATUSES = ("running", "interrupted", "failed", "no_valid_mapping", "done")


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(value or ())


def _is_text(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    items = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(item, str) for item in items):
        raise TypeError(f"{attribute.name} should be text")


@attrs.frozen
class Arguments:
    """What the command line said of the spec: enough to read it again."""

    arch: str = attrs.field(validator=_is_text)
    workload: tuple[str, ...] = attrs.field(default=(), converter=_texts, validator=_is_text)
    set_variable: tuple[str, ...] = attrs.field(default=(), converter=_texts, validator=_is_text)
    set_field: tuple[str, ...] = attrs.field(default=(), converter=_texts, validator=_is_text)
    arch_param: tuple[str, ...] = attrs.field(default=(), converter=_texts, validator=_is_text)
    allow_dir: tuple[str, ...] = attrs.field(default=(), converter=_texts, validator=_is_text)
    mapper: Mapping[str, str] = attrs.field(factory=dict)  # field of spec.mapper -> text
    no_plugins: bool = False

    @mapper.validator
    def _texts_by_name(self, _: object, value: object) -> None:
        if not isinstance(value, dict) or not all(isinstance(text, str) for item in value.items() for text in item):
            raise TypeError("mapper should be texts by name")

    def load(self) -> Spec:
        """The spec. Raises ``SpecError`` and ``PluginError``."""
        from ffcore.cli.inputs import load_spec

        return load_spec(
            self.arch,
            self.workload,
            variables=self.set_variable,
            fields=self.set_field,
            arch_params=self.arch_param,
            allowed_dirs=[Path(folder) for folder in self.allow_dir],
            mapper=self.mapper,
        )

    def from_anywhere(self) -> Arguments:
        """The same with files by their full paths."""
        return attrs.evolve(
            self,
            arch=_full(self.arch),
            workload=tuple(map(_full, self.workload)),
            allow_dir=tuple(str(Path(folder).resolve()) for folder in self.allow_dir),
        )


def _full(source: str) -> str:
    return str(Path(source).resolve()) if Path(source).exists() else source


@attrs.define
class RunFolder:
    """A folder that this process writes; ``info`` is the content of its ``run.json``."""

    path: Path
    info: dict[str, Any]

    @property
    def pmappings(self) -> Path:
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
        write_atomically(self.path / RUN, _json(self.info))


def begin(out: Path, spec: Spec, arguments: Arguments, *, jobs: int | None, cache: Path | None) -> RunFolder:
    """A folder for a run of ``spec``, with its ``spec.json`` and ``run.json``.

    Results of another spec, that an earlier run left there, are removed; its pmappings stay, since each is used only
    for what it was found for. Raises ``OSError`` where the folder cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    digest = spec.hash()
    if _hash_in(out) != digest:
        from ffcore.report.earlier import remove_earlier

        remove_earlier(out, (arguments.arch, *arguments.workload))
    info = _new_info(arguments) | {"spec_hash": digest, "parameters": parameters_of(spec, jobs, cache)}
    folder = RunFolder(out, info)
    write_atomically(out / SPEC, _json(_encoded(spec.to_dict())))
    folder._write()
    return folder


def begin_without_spec(out: Path, arguments: Arguments) -> RunFolder | None:
    """A folder for a run whose spec was not read to its end; None where another run's files are.

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
        "joiner_options": _encoded(mapper.joiner_options),
        "model": mapper.model,
        "cost_model": mapper.cost_model,
        "executor": mapper.executor,
        "metrics": metric_names(mapper.ffm.metrics),
        "limits": _encoded(limits),
        "jobs": jobs or DEFAULT_JOBS.n,
        "cache": None if cache is None else str(cache.resolve()),
    }


def versions() -> dict[str, Any]:
    """Versions of all that can bear on a result."""
    from importlib.metadata import version

    from ffcore.plugin import current_manager

    plugins = {p.distribution: p.version for p in current_manager().plugins[1:] if not (p.disabled or p.error)}
    core = {"ffcore": ffcore.__version__, "python": platform.python_version()}
    return core | {name: version(name) for name in ("numpy", "numba")} | {"plugins": plugins}


def _new_info(arguments: Arguments) -> dict[str, Any]:
    names = [re.sub(r"\.ya?ml$", "", Path(name).name) for name in (arguments.arch, *arguments.workload[:1])]
    return {
        "format": FORMAT,
        "status": "running",
        "error": None,
        "phase": "",  # in which it was interrupted
        "title": " on ".join(reversed(names)),
        "command": ["ff", *sys.argv[1:]],
        "arguments": attrs.asdict(arguments.from_anywhere()),
        "versions": versions(),
        "started": _now(),
        "resumed": [],
        "ended": None,
        "seconds": {},
        "counts": {},
        "guarantee": None,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


# -- reading ------------------------------------------------------------------------------------------


@attrs.frozen
class Stopped:
    """A run that can go on. ``spec`` is None where it ended before its spec was read."""

    path: Path
    info: Mapping[str, Any]
    arguments: Arguments

    @property
    def has_spec(self) -> bool:
        return self.info["spec_hash"] is not None

    def spec(self) -> Spec:
        """The spec that the run is of. Raises ``FFError`` for one that is damaged or was changed."""
        if not self.has_spec:
            return self.arguments.load()
        from ffcore.spec.spec import spec_from_data

        file = self.path / SPEC
        try:
            data = decoded(_read_json(file))
            if not isinstance(data, dict):
                raise FFError(f"{file} is damaged (it is no mapping); {_ANEW}")
            spec = spec_from_data(data, str(file))
        except SpecError as error:
            raise FFError(f"{file} is damaged ({error.problems[0].message}); {_ANEW}") from None
        except RecursionError:
            raise FFError(f"{file} is damaged (too many levels); {_ANEW}") from None
        if spec.hash() != self.info["spec_hash"]:
            raise FFError(f"{file} is not what this run began with; {_ANEW}")
        return spec

    def go_on(self, spec: Spec, *, jobs: int | None, cache: Path | None) -> RunFolder:
        """The folder, to be written again. Raises ``OSError`` where it cannot be."""
        if not self.has_spec:
            return begin(self.path, spec, self.arguments, jobs=jobs, cache=cache)
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


_ANEW = "map anew with `ff map ARCH WORKLOAD --out DIR`"


def read(path: Path) -> Stopped:
    """The run of a folder. Raises ``FFError`` where there is none, or one that is damaged or of another version."""
    file = path / RUN
    if not file.is_file():
        raise FFError(f"{path} holds no run to go on with: there is no {RUN}, which `ff map --out` writes")
    info = _read_json(file)
    try:
        if not isinstance(info, dict):
            raise TypeError("it is no mapping")
        made_by = info["versions"]["ffcore"]
        if info["format"] != FORMAT or made_by != ffcore.__version__:
            raise FFError(f"{path} was written by ffcore {made_by}, and this is {ffcore.__version__}; {_ANEW}")
        if info["status"] not in STATUSES or not isinstance(info["resumed"], list):
            raise ValueError("its status makes no sense")
        if not isinstance(info["spec_hash"], str | None):
            raise TypeError("spec_hash should be text")
        arguments = Arguments(**info["arguments"])
    except (KeyError, TypeError, ValueError) as error:
        said = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise FFError(f"{file} is damaged ({said}); {_ANEW}") from None
    return Stopped(path, info, arguments)


def _hash_in(out: Path) -> str | None:
    """The hash of the spec whose results are in a folder, if it can be told."""
    try:
        return str(read(out).info["spec_hash"])
    except (FFError, OSError):
        return None


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FFError(f"{file} is missing; {_ANEW}") from None
    except (ValueError, RecursionError) as error:
        said = "too many levels" if isinstance(error, RecursionError) else error
        raise FFError(f"{file} is damaged ({said}); {_ANEW}") from None


def _json(data: Any) -> str:
    return json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


# JSON has no infinity: such numbers are written as YAML spells them, which no other value of a spec looks like.
_NUMBERS = {".inf": math.inf, "-.inf": -math.inf}


def _encoded(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {key: _encoded(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_encoded(item) for item in data]
    if isinstance(data, float) and not math.isfinite(data):
        return next((text for text, number in _NUMBERS.items() if number == data), ".nan")
    return data


def decoded(data: Any) -> Any:
    """What was written: numbers that JSON does not have stand in it as text."""
    if isinstance(data, dict):
        return {key: decoded(value) for key, value in data.items()}
    if isinstance(data, list):
        return [decoded(item) for item in data]
    return _NUMBERS.get(data, data) if isinstance(data, str) else data


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
