"""What ``ff map`` does: a run that may keep a folder, be interrupted, and go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from ffcore.cli.arguments import Arguments
from ffcore.cli.guard import plugins_disabled
from ffcore.cli.inputs import set_mapper
from ffcore.cli.interrupt import Interrupts
from ffcore.cli.progress import Watch, progress_display
from ffcore.cli.run_folder import RunFolder, Stopped, begin, begin_without_spec, known_so_far, read
from ffcore.errors import FFError, NoValidMappingError, SpecError
from ffcore.locks import writing
from ffcore.phases import Clock, phase, recording

if TYPE_CHECKING:
    from ffcore.cli.output import Report
    from ffcore.spec import Spec


@attrs.frozen
class Wanted:
    """What is to be done with a spec, as the command line says."""

    jobs: int | None = None
    cache: Path | None = None
    out: Path | None = None
    format: str = "text"
    profile: bool = False
    limits: Mapping[str, str] = attrs.Factory(dict)  # and workers: field of spec.mapper -> text


def limits(time_limit: str | None, memory_limit: str | None) -> dict[str, str]:
    """The limits given on the command line, by fields of ``spec.mapper``. Raises ``SpecError`` for what is no time."""
    found = {} if memory_limit is None else {"ffm.memory_limit": memory_limit}
    if time_limit is not None:
        from ffcore.units import INFINITY_WORDS, parse_time

        endless = time_limit.strip().lower() in INFINITY_WORDS
        found["ffm.time_limit"] = "inf" if endless else repr(parse_time("--time-limit", time_limit))
    return found


def check_resume(given: Sequence[str]) -> None:
    """Raise ``SpecError`` for what is ``given`` beside ``--resume`` and stands in the folder."""
    if given:
        raise SpecError.one(f"--resume goes on with the spec and options of its folder: leave out {', '.join(given)}")


def run(arguments: Arguments, wanted: Wanted, interrupts: Interrupts) -> None:
    """Map what the arguments say. Raises what the phases raise, KeyboardInterrupt with what is known so far."""
    _run(arguments, None, wanted, interrupts)


def resume(folder: Path, wanted: Wanted, interrupts: Interrupts, baseline: bool = True) -> None:
    """Go on with the run of a folder, or make a finished one's results again. Raises as `run`, and for bad folders.

    ``baseline`` False leaves out the comparison with no fusion, even if the run began with it.
    """
    stopped = read(folder)
    arguments = attrs.evolve(stopped.arguments, baseline=stopped.arguments.baseline and baseline)
    with ExitStack() as stack:
        if stopped.arguments.no_plugins:
            stack.enter_context(plugins_disabled())
        _run(arguments, stopped, attrs.evolve(wanted, out=folder), interrupts)


def _run(arguments: Arguments, stopped: Stopped | None, wanted: Wanted, interrupts: Interrupts) -> None:
    with recording() as clock, nullcontext() if wanted.out is None else writing(wanted.out):
        ending = _Ending(arguments, stopped, wanted, clock, interrupts)
        with ending.told():
            with phase("imports"):
                from ffcore.cli import job, output
            with phase("spec"):
                spec = arguments.load() if stopped is None else stopped.spec()
                set_mapper(spec, wanted.limits)
                keep = ending.keep(spec)
            with progress_display(interrupts.check) as watch:
                ending.watch = watch
                report = job.run_map(
                    spec,
                    jobs=wanted.jobs,
                    cache=wanted.cache,
                    keep=keep,
                    watch=watch,
                    compare_unfused=arguments.baseline and wanted.out is not None,
                )
            with phase("output"):
                report = ending.found(report)
                output.show(report, wanted.format, wanted.out)
            ending.done()
        if wanted.profile:
            import typer

            typer.echo(output.profile(report, clock.seconds), err=True)


@attrs.define
class _Ending:
    """Sees to it that the folder says how the run ended, and the user what is known and how to go on."""

    arguments: Arguments
    stopped: Stopped | None
    wanted: Wanted
    clock: Clock
    interrupts: Interrupts
    folder: RunFolder | None = None
    watch: Watch | None = None

    def keep(self, spec: Spec) -> Path | None:
        """The folder's pmappings, if there is a folder."""
        jobs, cache = self.wanted.jobs, self.wanted.cache
        if self.stopped is not None:
            self.folder = self.stopped.go_on(spec, jobs=jobs, cache=cache)
        elif self.wanted.out is not None:
            self.folder = begin(self.wanted.out, spec, self.arguments, jobs=jobs, cache=cache)
        return None if self.folder is None else self.folder.pmappings

    def found(self, report: Report) -> Report:
        """The report, with what is known of the run."""
        if self.folder is None:
            return report
        self.folder.found(report)
        inputs = (self.arguments.arch, *self.arguments.workload)
        return attrs.evolve(report, run=self.folder.info, spec=None, inputs=inputs)

    def done(self) -> None:
        if self.folder is not None:
            self.folder.finish("done", self.clock.seconds)

    @contextmanager
    def told(self) -> Iterator[None]:
        """Write down how the body ended; an interruption raises KeyboardInterrupt with all that is to be said."""
        try:
            yield
        except BrokenPipeError:  # whoever read the output has gone; results are written before they are printed
            self.done()
            raise
        except BaseException as error:
            # An import that is interrupted may raise anything.
            interrupted = isinstance(error, KeyboardInterrupt) or self.interrupts.happened
            if not interrupted and not isinstance(error, Exception):
                raise
            with self.interrupts.held():
                if interrupted:
                    raise KeyboardInterrupt(self._interrupted()) from None
                status = "no_valid_mapping" if isinstance(error, NoValidMappingError) else "failed"
                self._end(status, str(error) if isinstance(error, FFError | OSError) else repr(error))
            raise

    def _interrupted(self) -> str:
        phase = self.clock.current
        known = "" if self.watch is None else self.watch.known("explore" if phase == "templates" else phase)
        text = known_so_far(phase, known)
        problem = self._end("interrupted", text)
        if self.folder is not None:
            if self.folder.info["spec_hash"] is None:
                return f"{text}\n{problem or 'give the same command again'}"
            return f"{text}\n{problem or f'go on with: {self.folder.resume_command}'}"
        if self.wanted.out is not None:
            return f"{text}\n{problem or f'{self.wanted.out} still holds another run: give the same command again'}"
        if self.wanted.cache is not None:
            return f"{text}\nthe same command goes on with the pmappings in {self.wanted.cache}"
        return f"{text}\nwith --out DIR nothing would have been lost: `ff map --resume DIR` goes on"

    def _end(self, status: str, error: str) -> str:
        """Write the status; returns what went wrong with that, if anything did."""
        try:
            if self.folder is None and self.wanted.out is not None:
                self.folder = begin_without_spec(self.wanted.out, self.arguments)
            if self.folder is not None:
                self.folder.finish(status, self.clock.seconds, error, self.clock.current)
        except OSError as problem:
            return f"{problem.filename or self.wanted.out}: {problem.strerror}"
        return ""


__all__ = ["Wanted", "check_resume", "resume", "run"]
