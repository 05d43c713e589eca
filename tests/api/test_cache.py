"""Pmappings on disk: exact, keyed by content, no harm from damaged files."""

from __future__ import annotations

import errno
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from numpy.typing import NDArray

import ffcore as ff
import ffcore.diagnose  # it takes `explore` when it is imported, which must not be a patched one
from ffcore.explore import explorer as explorer_module
from ffcore.explore.default import CacheWarning, DefaultExplorer
from ffcore.pmappings.rows import Rows, TemplateChoice
from ffcore.results import Pmappings
from tests.api.specs import chain

make = ff.mapper.FFM.make_pmappings


@pytest.fixture
def explored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the Einsums that are really explored, as they are."""
    names: list[str] = []
    explore = explorer_module.explore

    def noting(problem, *, einsum_names=None, **options):  # type: ignore[no-untyped-def]
        names.extend(einsum_names)
        return explore(problem, einsum_names=einsum_names, **options)

    monkeypatch.setattr(explorer_module, "explore", noting)
    return names


def tpu() -> ff.Spec:
    """Spatial loops, so that jobs have trip counts to store."""
    return ff.Spec.from_yaml("tpu_v4i_like", "matmuls", N_EINSUMS=2, M=16, KN=16)


def _content(job: TemplateChoice) -> object:
    """All but the Einsum, which each run makes anew."""
    template = job.template
    return [c.name for c in template.components], template.sites, template.blocks, template.spatial, job.choice


def assert_equal(a: Pmappings, b: Pmappings) -> None:
    for mine, theirs in zip(a.set.einsums, b.set.einsums, strict=True):
        assert [_content(job) for job in mine.jobs] == [_content(job) for job in theirs.jobs]
        assert (mine.shape, mine.stats) == (theirs.shape, theirs.stats)
        for mine_array, their_array in [
            (mine.offsets, theirs.offsets),
            *((getattr(mine.rows, f.name), getattr(theirs.rows, f.name)) for f in attrs.fields(Rows)),
        ]:
            assert mine_array.dtype == their_array.dtype
            assert np.array_equal(mine_array, their_array)


def test_what_is_read_is_what_was_explored(tmp_path: Path, explored: list[str]) -> None:
    fresh = make(tpu())
    explored.clear()
    assert_equal(fresh, make(tpu(), cache_dir=tmp_path))
    assert explored == ["Matmul0", "Matmul1"]
    explored.clear()
    cached = make(tpu(), cache_dir=str(tmp_path))
    assert explored == []
    assert_equal(fresh, cached)
    join = ff.mapper.FFM.join_pmappings
    assert join(tpu(), cached).to_dict() == join(tpu(), fresh).to_dict()
    assert not list(tmp_path.glob("*.tmp"))


def test_only_what_is_missing_is_explored(tmp_path: Path, explored: list[str]) -> None:
    make(chain(), cache_dir=tmp_path, einsum_names=["Matmul1"])
    assert explored == ["Matmul1"]
    explored.clear()
    lines: list[str] = []
    found = make(chain(), cache_dir=tmp_path, progress=lines.append)
    assert explored == ["Matmul0", "Matmul2"]
    assert any(line.startswith("Matmul1: ") and "read from" in line for line in lines)
    assert list(found.einsum2pmappings) == ["Matmul0", "Matmul1", "Matmul2"]


@pytest.mark.parametrize(
    "change",
    [
        lambda spec: spec.set("arch.nodes.Buffer.size", 8 * 25),
        lambda spec: spec.set("arch.nodes.Main.actions.read.energy", 3),
        lambda spec: spec.set("arch.nodes.Main.tensors.keep", "All"),
        lambda spec: spec.set("mapper.ffm.max_fused_loops", 1),
        lambda spec: spec.set("mapper.ffm.metrics", "energy"),
        lambda spec: spec.workload.rank_sizes.update(M=16),
    ],
)
def test_other_content_is_explored_anew(tmp_path: Path, explored: list[str], change) -> None:  # type: ignore[no-untyped-def]
    make(chain(), cache_dir=tmp_path)
    explored.clear()
    spec = chain()
    change(spec)
    assert_equal(make(spec, cache_dir=tmp_path), make(spec))
    assert explored[:3] == ["Matmul0", "Matmul1", "Matmul2"]


def test_runs_to_be_combined_have_files_of_their_own(tmp_path: Path) -> None:
    make(chain(), cache_dir=tmp_path)
    assert_equal(
        make(chain(), can_combine_multiple_runs=True, cache_dir=tmp_path), make(chain(), can_combine_multiple_runs=True)
    )


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def _flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))


def _without(name: str):  # type: ignore[no-untyped-def]
    def damage(path: Path) -> None:
        with np.load(path) as stored:
            np.savez(path, **{n: stored[n] for n in stored.files if n != name})

    return damage


def _replaced(name: str, value: object):  # type: ignore[no-untyped-def]
    def damage(path: Path) -> None:
        with np.load(path) as stored:
            np.savez(path, **{**{n: stored[n] for n in stored.files}, name: np.asarray(value)})

    return damage


def _changed(name: str, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with np.load(path) as stored:
            arrays = {n: stored[n] for n in stored.files}
        np.savez(path, **{**arrays, name: change(arrays[name])})

    return damage


def _pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps({"rows": 1}))


def _no_array(path: Path) -> None:
    with zipfile.ZipFile(path) as stored:
        members = {n: stored.read(n) for n in stored.namelist()}
    with zipfile.ZipFile(path, "w") as changed:
        for name, content in members.items():
            changed.writestr(name, b"x" + content[1:] if name == "rows_values.npy" else content)


def _compressed(path: Path) -> None:
    with np.load(path) as stored:
        np.savez_compressed(path, **{n: stored[n] for n in stored.files})


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGES = [
    _no_array,
    _compressed,
    _pipe,
    _truncated,
    _flipped,
    lambda path: path.write_bytes(b""),
    lambda path: path.write_text("not a zip file"),
    _pickled,
    _without("meta"),
    _without("rows_values"),
    _replaced("meta", "{"),
    _replaced("meta", "{}"),
    _replaced("meta", "[]"),
    _replaced("offsets", [0, 1]),
    _replaced("rows_job", [0]),
    _replaced("job_template", [99]),
    _replaced("rows_values", 3.0),
    _changed("offsets", lambda a: np.append(a[:-1], np.inf)),
    _changed("offsets", lambda a: a + 1),
    _changed("rows_values", lambda a: a[:, :, None]),
    _changed("rows_values", lambda a: a * np.nan),
    _changed("rows_values", lambda a: -a - 1),
    _changed("rows_blocks", lambda a: a.astype(float)),
    _changed("rows_blocks", lambda a: a + 100),
    _changed("rows_memory", lambda a: a + 100),
    _changed("rows_depth", lambda a: a + 100),
    _changed("rows_states", lambda a: a + 10**6),
    _changed("rows_job", lambda a: a - 1),
    _changed("rows_loops", lambda a: np.where(a, a + (99 << 41), a)),
    _changed("rows_loops", lambda a: a[:, :-1]),
]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Pmappings]:
    """A folder, and the pmappings of which it holds the files."""
    folder = tmp_path_factory.mktemp("stored")
    return folder, make(chain(), cache_dir=folder)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_reported_and_made_again(  # type: ignore[no-untyped-def]
    tmp_path: Path, explored: list[str], stored: tuple[Path, Pmappings], damage
) -> None:
    folder, fresh = stored
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (victim,) = tmp_path.glob("Matmul1-*.npz")
    damage(victim)
    explored.clear()
    with pytest.warns(CacheWarning, match=r"Matmul1-.*\.npz cannot be used .*; Matmul1 is explored again"):
        again = make(chain(), cache_dir=tmp_path)
    assert explored == ["Matmul1"]
    assert_equal(fresh.filter(lambda g: True), again)
    explored.clear()
    make(chain(), cache_dir=tmp_path)
    assert explored == []


def test_a_folder_that_cannot_be_written_ends_before_the_work_and_is_read_all_the_same(
    tmp_path: Path, explored: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = chain(n_einsums=2)
    make(spec, cache_dir=tmp_path)

    def refused(*_: object, **__: object) -> None:  # root may write anywhere
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "tmpabc"))

    monkeypatch.setattr("ffcore.explore.reuse.cache.tempfile.TemporaryFile", refused)
    explored.clear()
    make(spec, cache_dir=tmp_path)
    with pytest.raises(PermissionError, match="Permission denied") as error:
        make(chain(n_einsums=2, size=500), cache_dir=tmp_path)
    assert error.value.filename == str(tmp_path)
    assert not explored


@pytest.mark.parametrize("name", ["%s/e", "a/b", "../e", "x" * 300, "=a b: #"])
def test_whatever_an_einsum_is_called_its_file_is_in_the_folder(tmp_path: Path, name: str) -> None:
    spec = chain(n_einsums=1)
    spec.workload.einsums[0].name = name % tmp_path if "%" in name else name
    make(spec, cache_dir=tmp_path / "cache")
    (file,) = tmp_path.rglob("*.npz")
    assert file.parent == tmp_path / "cache"
    assert file.stat().st_mode & 0o044  # as public as other files


def test_nothing_in_a_file_runs(tmp_path: Path) -> None:
    """An array of objects is a pickle inside the file: it is refused, not loaded."""

    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "boom",))

    make(chain(), cache_dir=tmp_path)
    (victim,) = tmp_path.glob("Matmul0-*.npz")
    np.savez(victim, meta=np.array([Bomb()], dtype=object))
    with pytest.warns(CacheWarning):
        make(chain(), cache_dir=tmp_path)
    assert not (tmp_path / "boom").exists()


def test_a_problem_that_was_not_made_from_a_spec_is_cached_too(tmp_path: Path, explored: list[str]) -> None:
    problem = attrs.evolve(chain().problem(), spec_hash="")
    DefaultExplorer().explore(problem, cache_dir=tmp_path)
    explored.clear()
    make(chain(), cache_dir=tmp_path)
    assert explored == []


def test_an_einsum_is_found_again_in_another_spec(tmp_path: Path, explored: list[str]) -> None:
    make(chain(n_einsums=4), cache_dir=tmp_path)
    explored.clear()
    spec = chain(n_einsums=4)
    spec.workload.rank_sizes["N4"] = 2  # which only the last Einsum has
    found = make(spec, cache_dir=tmp_path)
    assert explored == ["Matmul3"]
    assert_equal(found, make(spec))
