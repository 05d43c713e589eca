"""What ``ff report`` does: mappings read again and evaluated."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from ffcore.plugin import (
    EVALUATED,
    NO_FUSION,
    REPORT,
    RESULTS,
    RUN,
    SPEC,
    SWITCHED_OFF,
    Arguments,
    Dimension,
    FFError,
    Report,
    Spec,
    SpecError,
    evaluate_trees,
    format_quantity,
    from_yaml,
    make_pmappings,
    mapping_files,
    parse_assignments,
    read_json,
    read_regular,
    read_sources,
    read_spec,
    real,
    run_folder,
    split_assignments,
    tree_from_node,
    unfused,
)

if TYPE_CHECKING:
    from ffcore.plugin import MappingTree

_KEYS = re.compile(r"^(arch|mapping|workload|variables|config|renames|mapper|model)\s*:", re.MULTILINE)


def is_folder(folder: Path, files: Sequence[str]) -> bool:
    """Is it a folder of results, rather than an architecture by whose name there happens to be a folder?"""
    return folder.is_dir() and ((folder / SPEC).is_file() or not files)


@contextmanager
def no_folder(folder: Path, files: Sequence[str]) -> Iterator[None]:
    """What stands alone was meant as a folder: if it is none, and no architecture either, the error says so."""
    try:
        yield
    except SpecError as error:
        if files or folder.exists():
            raise
        message = f"there is no folder {str(folder)!r}, and as an architecture: "
        raise SpecError([attrs.evolve(p, message=message + p.message) for p in error.problems]) from None


def check_alone(folder: Path, files: Sequence[str], arch_params: Sequence[str]) -> None:
    """A folder brings its own spec. Raises SpecError if more is given, or if the folder has no spec."""
    if files:
        raise SpecError.one(f"{folder} is a folder of --out, which has its own workload: leave out {files[0]}")
    if arch_params:
        raise SpecError.one("--arch-param is for an architecture by name; for a folder use --spec PATH=VALUE")
    if not (folder / SPEC).is_file():
        raise SpecError.one(f"{folder} has no {SPEC}: `ff map`, `ff evaluate` and `ff report` write one with --out")


def split_files(files: Sequence[str]) -> tuple[list[str], list[str]]:
    """The files of a spec, and those that hold nothing but a mapping. Names of packaged ones are of the first kind."""
    mappings = [name for name in files if _top_level_keys(Path(name)) == {"mapping"}]
    return [name for name in files if name not in mappings], mappings


def _top_level_keys(path: Path) -> set[str]:
    """Seen in the text: what it means is for the loader to say, which knows better how to complain."""
    return set(_KEYS.findall(path.read_text(errors="replace"))) if path.is_file() else set()


def of_folder(folder: Path, target: Path, arguments: Arguments, baseline: bool, jobs: int | None) -> Report:
    """The mappings of a folder that ``--out`` wrote, with what it says of their search, to be written to ``target``.

    Where options make it another spec, nothing holds any longer of what the search said, and the best mappings
    without fusion may be others. Raises ``FFError`` and ``NoValidMappingError``, the latter where memories become
    too small.
    """
    spec = read_spec(folder / SPEC)
    run = read_json(folder / RUN) if (folder / RUN).is_file() else {}
    made_for = run.get("spec_hash", spec.hash())
    for name, text in arguments.mapper.items():
        spec.set(f"mapper.{name}", text)
    if arguments.set_variable:
        raise SpecError.one("--set is for Jinja parameters of spec files; for a folder use --spec PATH=VALUE")
    for path, value in split_assignments("--spec", arguments.set_field).items():
        spec.set(path, value)
    files = mapping_files(folder)
    if not files:
        raise SpecError.one(f"{folder} holds no mapping (mapping_0.yaml)")
    report = _report(spec, [(file, _tree(file)) for file in files], baseline, jobs)
    report = attrs.evolve(report, inputs=tuple(files))
    title = {"title": str(run.get("title") or real(folder).name)}
    if spec.hash() != made_for:
        return attrs.evolve(report, run={**title, "command": run_folder.command(), "other_spec": True})
    others = mapping_files(folder / NO_FUSION)
    if report.unfused is None and others:
        trees = [_tree(file) for file in others]
        report = attrs.evolve(report, unfused=evaluate_trees(spec, trees, [str(f) for f in others]), unfused_note="")
    report = attrs.evolve(report, stats=_stats(folder / RESULTS), run={**run, **title}, inputs=(*files, *others))
    if real(target) == real(folder):  # a search may still go on here
        return attrs.evolve(report, spec=None) if run else report
    return attrs.evolve(report, run={**report.run, "status": EVALUATED})


def _stats(file: Path) -> Mapping[str, object]:
    stats = read_json(file).get("stats", {}) if file.is_file() else {}
    if not isinstance(stats, dict):
        raise FFError(f"{file} is damaged (stats should be a mapping)")
    return stats


def _tree(file: Path) -> MappingTree:
    try:
        return from_yaml(read_regular(file).decode(), str(file))
    except UnicodeDecodeError as error:
        raise SpecError.one(f"{file} is not UTF-8 text (byte {error.start})") from None


def of_files(spec: Spec, files: Sequence[str], arguments: Arguments, baseline: bool, jobs: int | None) -> Report:
    """The mappings of these files, or the one that the spec holds. Raises as `of_folder` does."""
    trees = []
    if spec.mapping is not None:
        trees.append((Path(spec.mapping.position.file), tree_from_node(spec.mapping)))
    for name in files:
        allowed = [Path(folder) for folder in arguments.allow_dir]
        node = read_sources([name], parse_assignments("--set", arguments.set_variable), allowed).get("mapping")
        assert node is not None
        trees.append((Path(name), tree_from_node(node)))
    if not trees:
        raise SpecError.one("there is no mapping: give a file with the top-level key 'mapping'")
    return attrs.evolve(_report(spec, trees, baseline, jobs), inputs=tuple(path for path, _ in trees))


def _report(spec: Spec, trees: Sequence[tuple[Path, MappingTree]], baseline: bool, jobs: int | None) -> Report:
    mappings = evaluate_trees(spec, [tree for _, tree in trees], [str(path) for path, _ in trees])
    if not baseline:
        return Report(mappings, unfused_note=SWITCHED_OFF, spec=spec)
    pmappings = make_pmappings(spec, n_jobs=jobs)
    others, note = unfused(spec, pmappings, jobs=jobs)
    return Report(mappings, unfused=others, unfused_note=note, spec=spec)


def summary(report: Report, folder: Path) -> str:
    """One line: where the report is and what is best in it."""
    energy, latency, edp = report.numbers[report.best]
    where = folder / REPORT if (folder / REPORT).is_file() else folder
    joules, seconds = format_quantity(energy, Dimension.ENERGY, 6), format_quantity(latency, Dimension.TIME, 6)
    count = len(report.mappings)
    some = f"{count} mapping{'' if count == 1 else 's'}"
    return f"{where}: {some}; the best takes {joules}, {seconds}, {edp:.6g} J·s"
