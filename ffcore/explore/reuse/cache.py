"""Pmappings on disk: one file for each Einsum, named by a hash of all that they depend on.

That is the Einsum's own content, whatever spec it stands in, and the shape of its rows. A file holds numpy arrays and
one JSON text (no pickle, so reading it runs nothing): the rows and, for each job, the number of its template and the
trip counts of its spatial loops. Templates are not stored: they follow from the Einsum. A file that is damaged, or
does not belong to these templates, is not used.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from ffcore._version import __version__
from ffcore.errors import FFError
from ffcore.explore.reuse.checked import check_rows
from ffcore.explore.reuse.content import digest, einsum_content, own_names, shape_content
from ffcore.explore.reuse.equal import EinsumClasses
from ffcore.explore.shapes import row_shapes
from ffcore.files import check_places, check_regular, file_name, replacing
from ffcore.pmappings.rows import Rows, RowShape, SpatialChoice, TemplateChoice
from ffcore.pmappings.set import EinsumPmappings, PmappingStats
from ffcore.spec.problem import EinsumProblem, MapperOptions, Problem
from ffcore.templates import HolderChoice, Template

CACHE_VERSION = 5
"""Goes into every key; raise it when explorers find other rows or write them otherwise."""

Arrays = Mapping[str, NDArray[Any]]
_BROKEN = (  # what numpy, zipfile and json say of files that are none of ours, or no longer
    *(OSError, ValueError, KeyError, IndexError, TypeError, EOFError, OverflowError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, MemoryError),
)


class DamagedCacheError(FFError):
    """A cache file cannot be used; the message says why."""


@attrs.frozen(eq=False)
class Stored:
    """One Einsum as it is explored: what names its file, and what its rows refer to."""

    einsum: EinsumProblem
    choices: Sequence[HolderChoice]
    templates: Sequence[Template]
    shape: RowShape
    options: MapperOptions

    @cached_property
    def key(self) -> str:
        """A hash of all that its rows depend on, and of the names that its templates use."""
        content = einsum_content(self.einsum, self.choices, self.options)
        return digest([CACHE_VERSION, __version__, content, own_names(self.einsum), shape_content(self.shape)])


@attrs.frozen
class PmappingFiles:
    """Files of pmappings in a folder."""

    folder: Path

    def path(self, stored: Stored) -> Path:
        """The file of an Einsum."""
        return self.folder / f"{file_name(stored.einsum.name)}-{stored.key}.npz"

    def load(self, stored: Stored) -> EinsumPmappings | None:
        """What was stored, or None. Raises DamagedCacheError for a file that cannot be used, OSError for a folder in
        its place, where nothing could be stored once the work is done."""
        path = self.path(stored)
        if not path.exists():
            return None
        check_places(path.parent, [path.name])
        try:
            check_regular(path)
            _check_stored(path)
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            if not all(isinstance(array, np.ndarray) for array in arrays.values()):
                raise ValueError("it holds something that is no array")  # what numpy gives as bytes
            return _decoded(arrays, stored)
        except _BROKEN as error:
            raise DamagedCacheError(f"{path} cannot be used ({error})") from error

    def store(self, stored: Stored, pmappings: EinsumPmappings) -> None:
        """Write the file of an Einsum, at once or not at all. Raises OSError where it cannot be written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self.path(stored)) as file:
            np.savez(file, **_encoded(pmappings))  # type: ignore[arg-type,unused-ignore]


@attrs.frozen(eq=False)
class PmappingCache:
    """The pmappings of one problem's Einsums in a folder; ``pulse`` is called while their templates are made."""

    folder: Path
    problem: Problem
    pulse: Callable[[], None] | None = None

    @cached_property
    def _stored(self) -> Mapping[str, Stored]:
        kinds, problem = EinsumClasses.of(self.problem, self.pulse), self.problem
        parts = zip(problem.einsums, kinds.members, row_shapes(problem, kinds), strict=True)
        return {
            einsum.name: Stored(einsum, member.choices, kinds.templates_of(member), shape, problem.options)
            for einsum, member, shape in parts
        }

    def prepare(self) -> None:
        """Make the folder. Raises OSError where nothing can be written there: before the work, not after it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            tempfile.TemporaryFile(dir=self.folder).close()
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.folder)) from None

    def path(self, einsum: str) -> Path:
        """The file of one Einsum."""
        return PmappingFiles(self.folder).path(self._stored[einsum])

    def load(self, einsum: str) -> EinsumPmappings | None:
        """What was stored, or None. Raises DamagedCacheError for a file that cannot be used."""
        return PmappingFiles(self.folder).load(self._stored[einsum])

    def store(self, pmappings: EinsumPmappings) -> None:
        """Write the file of an Einsum, at once or not at all. Raises OSError where it cannot be written."""
        PmappingFiles(self.folder).store(self._stored[pmappings.einsum.name], pmappings)


def _check_stored(path: Path) -> None:
    """Raise ValueError for a file that holds more than it is long: we compress nothing."""
    with zipfile.ZipFile(path) as file:
        if any(member.compress_type != zipfile.ZIP_STORED for member in file.infolist()):
            raise ValueError("it is compressed")


def _encoded(pmappings: EinsumPmappings) -> dict[str, NDArray[Any]]:
    numbers = {id(template): i for i, template in enumerate(pmappings.templates)}
    lengths = [len(job.choice.loops) for job in pmappings.jobs]
    places = {id(t): {loop: i for i, loop in enumerate(t.spatial)} for t in pmappings.templates}
    loops = [places[id(job.template)][loop] for job in pmappings.jobs for loop in job.choice.loops]
    trips = [n for job in pmappings.jobs for n in job.choice.trips]
    meta = {
        "shape": attrs.asdict(pmappings.shape),
        "stats": attrs.asdict(pmappings.stats),
        "templates": _digest(pmappings.templates),
    }
    return {
        "meta": np.array(json.dumps(meta)),
        "offsets": pmappings.offsets,
        "job_template": np.array([numbers[id(job.template)] for job in pmappings.jobs], np.int64),
        "job_starts": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        "job_loops": np.array(loops, np.int64),
        "job_trips": np.array(trips, np.int64),
        **{f"rows_{f.name}": getattr(pmappings.rows, f.name) for f in attrs.fields(Rows)},
    }


def _decoded(arrays: Arrays, stored: Stored) -> EinsumPmappings:
    """Raises one of ``_BROKEN`` for content that does not add up."""
    templates = stored.templates
    meta = json.loads(str(arrays["meta"]))
    if meta["templates"] != _digest(templates):
        raise ValueError("it was made from other templates")
    fields = {**meta["shape"], "shared": tuple(meta["shape"]["shared"]), "memories": tuple(meta["shape"]["memories"])}
    fields["apart"] = tuple((str(name), int(k)) for name, k in fields.get("apart", ()))
    starts, loops, trips = (arrays[f"job_{name}"].tolist() for name in ("starts", "loops", "trips"))
    jobs = []
    for number, (start, stop) in zip(arrays["job_template"].tolist(), pairwise(starts), strict=True):
        template = templates[number]
        chosen = tuple(template.spatial[i] for i in loops[start:stop])
        jobs.append(TemplateChoice(template, SpatialChoice(chosen, tuple(trips[start:stop]))))
    rows = Rows(**{f.name: arrays[f"rows_{f.name}"] for f in attrs.fields(Rows)})
    shape, offsets = RowShape(**fields), arrays["offsets"]
    if shape != stored.shape:
        raise ValueError("its rows have another shape")
    check_rows(rows, shape, len(jobs), templates, stored.einsum)
    if offsets.ndim != 1 or offsets.dtype != np.int64 or offsets[0] != 0 or (np.diff(offsets) <= 0).any():
        raise ValueError("its groups are not in order")
    if offsets[-1] != len(rows):
        raise ValueError("its arrays do not belong together")
    stats = PmappingStats(**meta["stats"])
    return EinsumPmappings(stored.einsum, tuple(templates), tuple(jobs), shape, rows, offsets, stats)


def _digest(templates: Sequence[Template]) -> str:
    """A hash of the templates' holders and loops, in order."""
    content = [
        [
            [c.name for c in t.components],
            [attrs.astuple(s) for s in t.sites],
            [attrs.astuple(s) for s in t.tolls],
            t.blocks,
            [attrs.astuple(s) for s in t.spatial],
        ]
        for t in templates
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
