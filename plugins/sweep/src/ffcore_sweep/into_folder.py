"""Running a sweep into its folder."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing

import attrs
import typer

from ffcore.plugin import (
    Arguments,
    ErrorCollector,
    Interrupts,
    NoValidMappingError,
    Spec,
    SpecError,
    phase,
    progress_display,
)
from ffcore_sweep import reports as sweep_reports
from ffcore_sweep import show as sweep_show
from ffcore_sweep.axes import FILES, Axis, axes_of, parse_axes, split_values
from ffcore_sweep.command import Reports
from ffcore_sweep.folder import PMAPPINGS, Folder
from ffcore_sweep.result import Sweep
from ffcore_sweep.run import SweepJob, prepared


def axes(
    files: Sequence[str], vary: Sequence[str] | None, arches: str | None, workloads: str | None
) -> tuple[Axis, ...]:
    """What ``--vary`` and its kin say, those of files first. Raises one SpecError for all that is wrong or missing."""
    errors = ErrorCollector()
    if not files and (arches is None or workloads is None):
        errors.add("name an architecture and a workload, or a sweep to go on with: ff sweep --resume DIR")
    listed = {"arch": arches, "workload": workloads}
    given = [Axis(path, tuple(split_values(texts))) for path, texts in listed.items() if texts is not None]
    for text in vary or ():
        with errors.catch():
            given.extend(parse_axes(text))
    if not errors:
        with errors.catch():
            axes_of(given)
    errors.raise_if_any()
    return tuple(given)


def loader(arguments: Arguments, axes: Sequence[Axis]) -> Callable[..., Spec]:
    """What reads a spec, given Jinja parameters, and files in the place of those that are varied."""
    varied = {axis.path for axis in axes if axis.path in FILES}

    def load(**given: object) -> Spec:
        named = {name: str(given.pop(name)) for name in FILES if name in varied}
        files = [file for file in (arguments.arch, *arguments.workload) if file]
        arch = named["arch"] if "arch" in named else files.pop(0)
        own = [named["workload"]] if "workload" in named else []
        whole = attrs.evolve(arguments, arch=arch, workload=[*own, *files])
        return whole.load(variables=assignments(given))

    return load


def check_alone(others: Iterable[object]) -> None:
    """Raise SpecError for what cannot be given beside ``--resume``, which knows it all."""
    if any(others):
        raise SpecError.one("--resume goes on with the sweep as it was begun: give no other files and options with it")


def assignments(parameters: Mapping[str, object]) -> list[str]:
    """Jinja parameters as ``--set`` takes them."""
    words = {None: "null", True: "true", False: "false"}
    return [
        f"{name}={words[value] if value is None or isinstance(value, bool) else value}"
        for name, value in parameters.items()
    ]


def planned(folder: Folder, workers: Mapping[str, str] | None = None) -> SweepJob:
    """The sweep of a folder, checked; nothing is written. Raises one SpecError for all mistakes of all points.

    ``workers``: other ones than it was begun with, by fields of ``spec.mapper``.
    """
    return attrs.evolve(prepared(folder.source, folder.axes, folder.choice), workers=dict(workers or {}))


def run(
    folder: Folder,
    job: SweepJob,
    state: Interrupts,
    *,
    jobs: int | None,
    format: str,
    anew: bool,
    reports: Reports | None = None,
) -> None:
    """Do what is missing, or everything ``anew``, write the tables, the plot and reports, and print the points.

    Raises NoValidMappingError if no point has a mapping, and for a Ctrl-C, after the tables of the points that are done
    were written, a KeyboardInterrupt that says how to go on.
    """
    if reports is not None:
        sweep_reports.renderer()
    if anew:
        folder.begin()
    try:
        points = folder.read_points(lambda warning: typer.echo(warning, err=True))
        with progress_display(state.check) as progress:
            each = job.each(done=points.numbers, cache_dir=folder.path / PMAPPINGS, n_jobs=jobs, progress=progress)
            with closing(each):
                for point in each:
                    folder.write_point(point)
                    points.add(point)
        result = Sweep(folder.axes, points)
        if reports is not None:
            sweep_reports.write(folder, job, result, reports, sweep_show.kept_of(folder, result))
        with phase("output"):
            sweep_show.write(folder, result, finished=True)
            for part in sweep_show.shown(folder, result, format):
                typer.echo(part, nl=False)
    except (KeyboardInterrupt, Exception) as error:
        if isinstance(error, Exception) and not state.happened:  # an import that is interrupted may raise anything
            raise
        with state.held():
            left = folder.read_points(lambda warning: None)
            sweep_show.write(folder, Sweep(folder.axes, left), finished=False)
        where = f"ff sweep --resume {shlex.quote(str(folder.path))}"
        message = f"interrupted: {len(left)} of {folder.n_points} points are done; go on with: {where}"
        raise KeyboardInterrupt(message) from None
    if not any(point.numbers for point in result):
        reasons = dict.fromkeys(point.reason for point in result)
        raise NoValidMappingError(f"no point has one ({'; '.join(reasons)})")
