"""What stands in the folder of ``--out``, whatever is installed and whatever stood there before."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import ffcore as ff
from ffcore import plugin
from ffcore.errors import FFError, PluginError
from ffcore.mapping.dialect import from_yaml
from ffcore.plugin import PluginManager, RendererRecord, ReportSubject, hookimpl
from ffcore.render import MissingProgramError
from ffcore.results import folder as module
from ffcore.results.earlier import mapping_files
from ffcore.results.folder import check_inputs, write_folder
from tests.api.specs import chain
from tests.results.report_problems import front, with_copy

RESULTS = {"mappings": [], "stats": {"seconds": {"join": 1.0}}}
Install = Callable[..., None]


def results(count: int) -> str:
    """A results.json of so many mappings."""
    return json.dumps({"mappings": [{"energy": 1.0, "latency": 1.0, "mapping": {}}] * count, "stats": {}})


class Painter:
    def render(self, kind: str, obj: object, format: str) -> bytes | str:
        assert kind == "mapping"
        return b"png" if format == "png" else "<svg/>"


class NoProgram:
    def render(self, kind: str, obj: object, format: str) -> str:
        if format == "dot":
            return "digraph {}"
        raise MissingProgramError("Install brush.")


class FailingProgram(NoProgram):
    def render(self, kind: str, obj: object, format: str) -> str:
        if format == "dot":
            return "digraph {}"
        raise PluginError("The brush is dry.")


class Reporter:
    def render(self, kind: str, obj: object, format: str) -> str:
        assert isinstance(obj, ReportSubject)
        unfused = len(obj.unfused or ())
        return f"{kind} {format} {obj.title} {len(obj.mappings)} {unfused} {obj.unfused_note} {obj.run}"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Makes these renderers the only ones."""
    front(), with_copy()  # mapped with what is really installed

    def use(*records: RendererRecord) -> None:
        class Hooks:
            @hookimpl
            def ffcore_renderers(self) -> Iterator[RendererRecord]:
                yield from records

        point = SimpleNamespace(name="painters", value="tests", dist=None, load=Hooks)
        manager = PluginManager([point])
        monkeypatch.setattr(plugin, "current_manager", lambda: manager)

    return use


PAINTER = RendererRecord("painter", "pictures", Painter, formats=("svg", "png"))
REPORTER = RendererRecord("reporter", "reports", Reporter, formats=("html", "svg"), draws=("report",))


def test_tables_are_those_of_the_mappings(installed: Install, tmp_path: Path) -> None:
    installed()
    write_folder(tmp_path, front(), RESULTS)
    data = front().data.rename_axis("mapping")
    assert len(data) > 3
    written = pd.read_parquet(tmp_path / "mappings.parquet")
    assert_frame_equal(written[data.columns], data, check_exact=True)
    csv = pd.read_csv(tmp_path / "mappings.csv", dtype=str).astype({"mapping": int}).set_index("mapping")
    assert_frame_equal(csv.map(float), written, check_exact=True)


def test_every_mapping_is_there_as_yaml_and_as_text(installed: Install, tmp_path: Path) -> None:
    installed()
    write_folder(tmp_path, front(), RESULTS)
    files = mapping_files(tmp_path)
    assert [f.name for f in files] == [f"mapping_{i}.yaml" for i in range(len(front()))]
    for number, file in enumerate(files):
        assert from_yaml(file.read_text()) == front().tree(number)
        assert file.with_suffix(".txt").read_text().strip() == front().render(number).text.strip()
    assert json.loads((tmp_path / "results.json").read_text()) == RESULTS


def test_without_a_report_renderer_there_is_a_note_and_no_old_report(installed: Install, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("of an earlier job")
    (tmp_path / "results.json").write_text(results(1))
    installed(PAINTER)
    (note,) = write_folder(tmp_path, with_copy(), RESULTS)
    assert "pip install ffcore-html-report" in note
    assert not (tmp_path / "report.html").exists()


def test_report_and_pictures_come_from_renderers_that_draw_them(installed: Install, tmp_path: Path) -> None:
    installed(REPORTER, PAINTER)
    assert write_folder(tmp_path, with_copy(), RESULTS, title="t", unfused_note="why", run={"a": 1}) == []
    count = len(with_copy())
    assert (tmp_path / "report.html").read_text() == f"report html t {count} 0 why {{'a': 1}}"
    for number in range(count):
        assert (tmp_path / f"mapping_{number}.svg").read_text() == "<svg/>"
        assert (tmp_path / f"mapping_{number}.png").read_bytes() == b"png"


def test_a_renderer_of_reports_is_not_asked_for_pictures(installed: Install, tmp_path: Path) -> None:
    installed(REPORTER)
    write_folder(tmp_path, with_copy(), RESULTS)
    assert not list(tmp_path.glob("*.svg"))


def test_missing_program_is_told_once_and_dot_is_written(installed: Install, tmp_path: Path) -> None:
    installed(RendererRecord("painter", "", NoProgram, formats=("svg", "png", "dot")), REPORTER)
    (note,) = write_folder(tmp_path, front(), RESULTS)
    assert "Install brush." in note
    assert len(list(tmp_path.glob("*.dot"))) == len(front())


def test_a_program_that_fails_is_told_of_and_the_report_is_there(installed: Install, tmp_path: Path) -> None:
    installed(RendererRecord("painter", "", FailingProgram, formats=("svg", "png", "dot")), REPORTER)
    (note,) = write_folder(tmp_path, front(), RESULTS)
    assert "The brush is dry." in note
    assert (tmp_path / "report.html").exists()
    assert (tmp_path / "mapping_0.dot").exists()
    installed(RendererRecord("painter", "", FailingProgram, formats=("svg",)), REPORTER)
    assert write_folder(tmp_path, front(), RESULTS) == ["The brush is dry."]


def test_of_many_mappings_some_are_drawn(installed: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = module.chosen
    monkeypatch.setattr(module, "chosen", lambda points: chosen(points, 3))
    installed(PAINTER, REPORTER)
    (note,) = write_folder(tmp_path, front(), RESULTS)
    assert f"3 of the {len(front())} mappings" in note
    assert len(list(tmp_path.glob("*.svg"))) == len(list(tmp_path.glob("*.png"))) == 3
    assert len(list(tmp_path.glob("*.yaml"))) == len(front())


def test_mappings_without_fusion_have_a_folder_of_their_own(installed: Install, tmp_path: Path) -> None:
    installed(REPORTER)
    write_folder(tmp_path, front(), RESULTS, unfused=front()[:2])
    assert [f.name for f in mapping_files(tmp_path / "no_fusion")] == ["mapping_0.yaml", "mapping_1.yaml"]
    write_folder(tmp_path, front(), RESULTS)
    assert not (tmp_path / "no_fusion").exists()


def test_a_link_to_another_folder_is_not_followed(installed: Install, tmp_path: Path) -> None:
    installed(REPORTER)
    out, other = tmp_path / "out", tmp_path / "other"
    out.mkdir()
    other.mkdir()
    (other / "mapping_0.yaml").write_text("somebody's")
    (out / "no_fusion").symlink_to(other)
    (out / "results.json").write_text(results(2))
    (note,) = write_folder(out, front()[:1], RESULTS, unfused=front()[:2])
    assert "no_fusion is a link" in note
    assert [(p.name, p.read_text()) for p in other.iterdir()] == [("mapping_0.yaml", "somebody's")]


def test_names_are_no_formulas_in_tables(installed: Install, tmp_path: Path) -> None:
    spec = chain(n_einsums=1)
    spec.workload.einsums[0].name = "=cmd|' /C calc'!A1"
    mappings = ff.map_workload_to_arch(spec, n_jobs=1)
    installed(REPORTER)
    write_folder(tmp_path, mappings, RESULTS)
    head = next(csv.reader((tmp_path / "mappings.csv").open()))
    assert len([cell for cell in head if cell.startswith("'=cmd")]) > 3
    assert not [cell for cell in head if cell.startswith("=")]


STALE = ["mapping_2.yaml", "mapping_2.svg", "mapping_0.dot", "no_fusion/mapping_0.yaml"]
USERS = ["mapping_of_mine.yaml", "mapping_1.yaml.bak", "notes.txt", "mapping_3.yaml", "no_fusion/mine.yaml"]


def fill(folder: Path, *names: str) -> None:
    (folder / "no_fusion").mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text("")


def left(folder: Path, *names: str) -> list[str]:
    return [name for name in names if (folder / name).exists()]


def test_what_an_earlier_job_left_goes_and_what_is_the_users_stays(installed: Install, tmp_path: Path) -> None:
    installed(REPORTER)
    fill(tmp_path, *STALE, *USERS)
    (tmp_path / "results.json").write_text(results(3))
    write_folder(tmp_path, front()[:1], RESULTS)
    assert left(tmp_path, *STALE) == []
    assert left(tmp_path, *USERS) == USERS
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("text", [None, "", "[]", "{", '{"mappings": 3}', '{"mappings": [1, 2, 3]}', "[" * 10**5])
def test_where_nothing_tells_of_an_earlier_job_nothing_goes(
    installed: Install, tmp_path: Path, text: str | None
) -> None:
    installed()
    names = [*STALE, *USERS, "report.html"]
    fill(tmp_path, *names)
    if text is not None:
        (tmp_path / "results.json").write_text(text)
    write_folder(tmp_path, front()[:1], RESULTS)
    assert left(tmp_path, *names) == names


def test_inputs_stay(installed: Install, tmp_path: Path) -> None:
    installed(REPORTER)
    fill(tmp_path, *STALE)
    (tmp_path / "results.json").write_text(results(3))
    write_folder(tmp_path, front()[:1], RESULTS, inputs=["simple", str(tmp_path / "mapping_2.yaml")])
    assert left(tmp_path, *STALE) == ["mapping_2.yaml"]


def test_an_input_is_not_replaced(installed: Install, tmp_path: Path) -> None:
    installed(REPORTER)
    path = tmp_path / "mapping_0.yaml"
    path.write_text("# by hand")
    with pytest.raises(FFError, match=r"mapping_0\.yaml is an input"):
        check_inputs(tmp_path, front()[:1], [path])
    path.write_text(front().to_yaml(0))
    check_inputs(tmp_path, front()[:1], [path])  # says the same


def test_tables_have_the_totals_of_each_layer(tmp_path: Path) -> None:
    mappings = front()
    write_folder(tmp_path, mappings, {})
    table = pd.read_parquet(tmp_path / "mappings.parquet")
    for what in ("energy", "latency"):
        layers = [c for c in table.columns if c.endswith(f"<SEP>Total<SEP>{what}")]
        assert [c.split("<SEP>")[0] for c in layers] == ["Matmul0", "Matmul1", "Matmul2"]
        assert table[layers].sum(axis=1).tolist() == pytest.approx(table[f"Total<SEP>{what}"].tolist(), rel=1e-12)
    assert list(table.columns[:2]) == ["Total<SEP>energy", "Total<SEP>latency"]
