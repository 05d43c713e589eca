"""Where the shared example specs are; they are no part of the project, so tests skip where they are absent."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared"
PEER = SHARED / "peer_examples"
CONFORMANCE = SHARED / "conformance"

needs_peer_examples = pytest.mark.skipif(not PEER.is_dir(), reason=f"no example specs at {PEER}")
needs_conformance = pytest.mark.skipif(not CONFORMANCE.is_dir(), reason=f"no conformance specs at {CONFORMANCE}")
