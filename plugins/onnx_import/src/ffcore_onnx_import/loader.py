"""The spec loader: an ``.onnx`` file as the text of a native workload."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ffcore.plugin import SpecData


class Loader:
    """Reads ``.onnx`` files. Parameters: sizes of symbolic dimensions, and those that ``Options`` lists."""

    def load(self, path: Path, parameters: Mapping[str, object] | None = None) -> SpecData:
        """The workload as YAML text. Raises SpecError with the file, the node and what would help."""
        from ffcore_onnx_import.convert import workload_text

        return workload_text(path, parameters or {})
