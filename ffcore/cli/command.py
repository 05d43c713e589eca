"""Commands that read a spec: the options that they share stand here once.

before::

    @spec_command("metrics", "jobs")
    def shout(request: Request, loud: Annotated[bool, typer.Option()] = False) -> None: ...

after: a function for typer with ARCH, WORKLOAD, --set, --spec, --arch-param, --allow-dir, --metrics, --jobs, --loud,
--no-plugins and --debug, whose errors are messages and exit codes (`ffcore.cli.guard`).
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator
from types import NoneType
from typing import Any

import attrs

from ffcore.cli import complete as complete
from ffcore.cli import options as options
from ffcore.cli.arguments import EXECUTOR_OPTIONS, MAPPER_FIELDS, Arguments
from ffcore.cli.guard import guard
from ffcore.cli.interrupt import Interrupts
from ffcore.cli.values import split_assignments

_OF_EVERY_SPEC = ("set_variable", "set_field", "arch_param", "allow_dir")
_SHARED: dict[str, Any] = {
    "set_variable": options.SetVariable,
    "set_field": options.SetField,
    "arch_param": options.ArchParam,
    "allow_dir": options.AllowDir,
    "metrics": options.Metrics,
    "max_fused_loops": options.MaxFusedLoops,
    "imperfect": options.Imperfect,
    "explorer": options.Explorer,
    "joiner": options.Joiner,
    "model": options.Model,
    "cost_model": options.CostModel,
    "executor": options.ExecutorName,
    "executor_option": options.ExecutorOption,
}
_FLAGS: dict[str, Any] = {"no_plugins": options.NoPlugins, "debug": options.Debug}


@attrs.frozen
class Request:
    """What the body of a command is given: what the command line says of the spec, and whether there was a Ctrl-C."""

    arguments: Arguments
    interrupts: Interrupts


def spec_command(
    *parts: str, arch: Any = options.Arch, workload: Any = options.Workload, files: Any = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command of a body that takes a `Request` and options of its own.

    ``parts``: which of the options for ``spec.mapper`` it has (see `MAPPER_FIELDS`). ``arch``, ``workload``: these
    arguments, as typer declares them; ``files``: one list in their place, its first file in that of the architecture.
    """
    arguments = {"arch": arch, "workload": workload} if files is None else {"files": files}
    more = ("executor_option",) if "executor" in parts else ()
    shared = arguments | {name: _SHARED[name] for name in (*_OF_EVERY_SPEC, *parts, *more)}

    def command(body: Callable[..., None]) -> Callable[..., None]:
        def run(**values: Any) -> None:
            common = {name: values.pop(name) for name in (*shared, *_FLAGS)}
            with guard(debug=common["debug"], no_plugins=common["no_plugins"]) as interrupts:
                body(Request(_arguments(common), interrupts), **values)

        run.__name__, run.__doc__, run.__module__ = body.__name__, body.__doc__, body.__module__
        parameters = [*_parameters(shared), *_own(body), *_parameters(_FLAGS)]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return command


def _arguments(given: dict[str, Any]) -> Arguments:
    files = given["files"] if "files" in given else [given["arch"] or "", *(given["workload"] or ())]
    return Arguments(
        files[0],
        files[1:],
        given["set_variable"],
        given["set_field"],
        given["arch_param"],
        [str(folder) for folder in given["allow_dir"] or ()],
        _mapper(given),
        given["no_plugins"],
    )


def _mapper(given: dict[str, Any]) -> dict[str, str]:
    """What options say of fields of ``spec.mapper``, an executor before its options."""
    found = {f: given[name] for name, fields in MAPPER_FIELDS.items() if given.get(name) is not None for f in fields}
    options = split_assignments("--executor-option", given.get("executor_option") or ())
    return found | {f"{EXECUTOR_OPTIONS}.{name}": text for name, text in options.items()}


def _parameters(shared: dict[str, Any]) -> Iterator[inspect.Parameter]:
    """A value that may be left out is None then, a flag False."""
    for name, annotation in shared.items():
        kind = typing.get_args(annotation)[0]
        default = False if kind is bool else None if NoneType in typing.get_args(kind) else inspect.Parameter.empty
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _own(body: Callable[..., None]) -> Iterator[inspect.Parameter]:
    hints = typing.get_type_hints(body, include_extras=True)
    for parameter in list(inspect.signature(body).parameters.values())[1:]:
        yield parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[parameter.name])
