"""The cost model that a spec names, made with its options."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffcore import plugin
from ffcore.errors import FFError, Position, SpecError
from ffcore.files import check_no_link, write_atomically
from ffcore.plugin.given_options import check_options
from ffcore.spec.source.allowed import standing_dirs
from ffcore.spec.source.files import FileAccess, SourceProblem

if TYPE_CHECKING:
    from ffcore.plugin import CostModel
    from ffcore.spec.spec import Spec

OPTIONS = "cost_model_options"
KEPT = "cost_files"
"""Folder beside a spec that ffcore wrote (``spec.json`` of a run), with copies of the files that its options name."""


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
    kept = [_kept(Path(set_at.file), option, number, str(name)) for number, name in enumerate(names)]
    return [k if k.is_file() else _allowed(spec, str(n), set_at, place) for k, n in zip(kept, names, strict=True)]


def keep_files(spec: Spec, file: Path) -> None:
    """Copy what the cost model's options name beside ``file``, into which the spec is written, so that it can be priced
    again from there. Raises ``OSError``; what is wrong with the options is for the job itself to tell."""
    mapper = spec.mapper
    if not (mapper.cost_model and mapper.cost_model_options):
        return
    with suppress(FFError):
        record = plugin.current_manager().record("cost_model", mapper.cost_model)
        for option in record.files if isinstance(record, plugin.CostModelRecord) else ():
            for number, path in enumerate(_paths(spec, option, mapper.cost_model_options.get(option, []))):
                copy = _kept(file, option, number, path.name)
                if path.is_file() and copy.absolute() != path.absolute():
                    check_no_link(copy.parent)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    write_atomically(copy, path.read_bytes())


def _kept(file: Path, option: str, number: int, name: str) -> Path:
    return file.parent / KEPT / f"{file.stem}.{option}.{number}{Path(name).suffix}"


def _allowed(spec: Spec, name: str, set_at: Position, place: Position | None) -> Path:
    own = [] if set_at.file.startswith("<") else [Path(set_at.file).absolute().parent]
    folders = [*own, *(Path(folder) for folder in spec._allowed_dirs), *standing_dirs()]
    try:
        return FileAccess.for_folders(folders).find(name, folders)
    except SourceProblem as problem:
        raise SpecError.one(problem.message, place, problem.suggestion) from None
