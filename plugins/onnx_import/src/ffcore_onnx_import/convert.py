"""From an ONNX file to a workload, in one call."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from ffcore.plugin import SpecError, write_file
from ffcore_onnx_import.lowering import lower
from ffcore_onnx_import.options import Parameters
from ffcore_onnx_import.reader import read_graph
from ffcore_onnx_import.summary import Summary, summarise
from ffcore_onnx_import.text import yaml_text


@attrs.frozen
class Network:
    """An imported network: its workload as native YAML, and what became of its nodes."""

    text: str
    summary: Summary


def read_network(path: str | Path, parameters: Mapping[str, object] | None = None) -> Network:
    """Read a network.

    ``parameters``: sizes of symbolic dimensions, and ``onnx_unknown``, ``persistent_weights``, ``fold_elementwise``,
    ``bits_per_value``; see `Options`. Raises SpecError in one sentence with the file and the node.
    """
    given = Parameters(parameters or {})
    options = given.options()
    state = lower(read_graph(Path(path), given), options)
    summary = summarise(state)
    return Network(yaml_text(state, summary), summary)


def workload_text(path: str | Path, parameters: Mapping[str, object] | None = None) -> str:
    """The native YAML of a network; see `read_network`."""
    return read_network(path, parameters).text


def convert(
    path: str | Path, out: str | Path, parameters: Mapping[str, object] | None = None, *, force: bool = False
) -> Summary:
    """Write the native YAML of a network to ``out``, for a person to go on with.

    Raises SpecError for a file that cannot be read, or that is there already (unless ``force``), ``OSError``
    with the path where it cannot be written.
    """
    target = Path(out)
    if target.exists() and not force:
        raise SpecError.one(f"{target} is there already; --force replaces it")
    network = read_network(path, parameters)
    write_file(target, network.text)
    return network.summary
