"""The notebook runs from first cell to last, at a small size; stored are the outputs of the full size."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
NOTEBOOK = ROOT / "notebooks" / "fast_and_fusiest.ipynb"
SMALL = """BATCH_SIZE = 1
N_TOKENS = 64
MAX_FUSED_LOOPS = 1
BASELINE_EVALUATIONS = 1
ANNEALING_EVALUATIONS = 2000
"""


def load() -> Any:
    nbformat = pytest.importorskip("nbformat")
    return nbformat.read(NOTEBOOK, as_version=4)


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text(cell: Any) -> str:
    """All that a cell printed or displayed as text."""
    return "".join(o.get("text") or o.get("data", {}).get("text/plain", "") for o in cell.outputs)


@pytest.mark.slow
def test_small_run_from_first_cell_to_last(tmp_path: Path) -> None:
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = load()
    (parameters,) = (cell for cell in code(notebook) if "parameters" in cell.metadata.get("tags", []))
    names = [node.targets[0].id for node in ast.parse(SMALL).body]  # type: ignore[attr-defined]
    assert names == [node.targets[0].id for node in ast.parse(parameters.source).body]  # type: ignore[attr-defined]
    parameters.source = SMALL
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=240, kernel_name="python3", resources=resources).execute()
    shown = [cell for cell in code(notebook) if cell.outputs]
    assert len(shown) >= 15
    assert not any(o.output_type == "error" for cell in shown for o in cell.outputs)
    (published,) = (cell for cell in code(notebook) if "simanneal2" in cell.source)
    assert any("image/svg+xml" in o.get("data", {}) for o in published.outputs)


def test_outputs_of_the_full_size_are_stored() -> None:
    notebook = load()
    cells = code(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not any(o.output_type == "error" for cell in cells for o in cell.outputs)
    (optimum,) = (text(cell) for cell in cells if "optimum = edp(best)" in cell.source)
    assert "0.04974434549" in optimum  # GPT-3 6.7B, batch 4, 4096 tokens, two fused loops
    pictures = [o for cell in cells for o in cell.outputs if "image/svg+xml" in o.get("data", {})]
    assert len(pictures) >= 3
