"""The cost model that a spec names, made with its options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffcore import plugin
from ffcore.errors import Position, SpecError
from ffcore.plugin.given_options import check_options
from ffcore.spec.source.files import FileAccess, SourceProblem

if TYPE_CHECKING:
    from ffcore.plugin import CostModel
    from ffcore.spec.spec import Spec

OPTIONS = "cost_model_options"


def cost_model_of(spec: Spec) -> CostModel:
    """The cost model of ``mapper.cost_model`` with ``mapper.cost_model_options``.

    Raises PluginError where it is not installed; SpecError for an option that it does not have, and for a file that
    is not there or that the spec may not read.
    """
    mapper = spec.mapper
    assert mapper.cost_model
    options: dict[str, Any] = dict(mapper.cost_model_options)
    check_options("cost_model", mapper.cost_model, options, lambda option: mapper.place_of(f"{OPTIONS}.{option}"))
    record = plugin.current_manager().record("cost_model", mapper.cost_model)
    for option in record.files if isinstance(record, plugin.CostModelRecord) else ():
        if option in options:
            options[option] = _paths(spec, option, options[option])
    made: CostModel = plugin.current_manager().get("cost_model", mapper.cost_model, **options)
    return made


def _paths(spec: Spec, option: str, value: object) -> list[Path]:
    """The files of an option. One that a spec file names is looked for beside it, and must lie where it may read;
    one that the user names (in Python, with `--spec`) is any."""
    names: list[Any] = list(value) if isinstance(value, list | tuple) else [value]
    set_at = spec.mapper.position_of(OPTIONS)
    place = set_at and (spec.mapper.position_of(f"{OPTIONS}.{option}") or set_at)
    for name in names:
        if not isinstance(name, str | Path):
            raise SpecError.one(f"mapper.{OPTIONS}.{option} must be the name of a file, or a list of them", place)
    if set_at is None:
        return [Path(name) for name in names]
    return [_allowed(spec, str(name), set_at, place) for name in names]


def _allowed(spec: Spec, name: str, set_at: Position, place: Position | None) -> Path:
    own = [] if set_at.file.startswith("<") else [Path(set_at.file).absolute().parent]
    folders = [*own, *(Path(folder) for folder in spec._allowed_dirs)]
    try:
        return FileAccess.for_folders(folders).find(name, folders)
    except SourceProblem as problem:
        raise SpecError.one(problem.message, place, problem.suggestion) from None
