"""Running ``ff``: as a real process, or quicker in this one."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from typer import testing
from typer.main import get_command
from typer.testing import CliRunner

from ffcore.cli.main import app

ARCH = """
arch:
  nodes:
  - !Memory
    name: MainMemory
    size: inf
    tensors: {keep: ~Intermediates, may_keep: All}
    actions:
    - {name: read, energy: 1, throughput: inf}
    - {name: write, energy: 1, throughput: inf}
  - !Memory
    name: GlobalBuffer
    size: {{SIZE | default(1e6)}}
    tensors: {keep: ~MainMemory.tensors, may_keep: All}
    actions:
    - {name: read, energy: 1, throughput: inf}
    - {name: write, energy: 1, throughput: inf}
  - !Compute
    name: MAC
    actions:
    - {name: compute, energy: 1, throughput: 1}
"""

WORKLOAD = """
workload:
  rank_sizes: {M: {{M}}, N0: 2, N1: 2, N2: 2}
  bits_per_value: {All: 8}
  einsums:
  - name: Matmul0
    tensor_accesses:
    - {name: T0, projection: [m, n0]}
    - {name: W0, projection: [n0, n1]}
    - {name: T1, projection: [m, n1], output: True}
  - name: Matmul1
    tensor_accesses:
    - {name: T1, projection: [m, n1]}
    - {name: W1, projection: [n1, n2]}
    - {name: T2, projection: [m, n2], output: True}
"""


def ff(*arguments: str | Path, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``ff`` with the given arguments and additional environment variables."""
    command = [sys.executable, "-m", "ffcore.cli", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, timeout=120, env={**os.environ, **environment}
    )


def command() -> Any:
    """The commands of ``ff``, built once: that takes as long as many of them run."""
    return testing._get_command(app)


testing._get_command = cache(get_command)  # what the runner calls each time


def ff_here(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The same without starting a process, for tests of what a command says rather than of the process."""
    words = [str(a) for a in arguments]
    result = CliRunner().invoke(app, words)
    return subprocess.CompletedProcess(words, result.exit_code, result.stdout, result.stderr)


def write_specs(folder: Path) -> tuple[Path, Path]:
    """A two-level architecture and two matmuls of M x 2 x 2 (Jinja parameters M, SIZE)."""
    arch, workload = folder / "arch.yaml", folder / "workload.yaml"
    arch.write_text(ARCH)
    workload.write_text(WORKLOAD)
    return arch, workload
