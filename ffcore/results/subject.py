"""What a renderer of reports is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ffcore.results.mappings import Mappings


@attrs.frozen(eq=False)
class ReportSubject:
    """The mappings that a report is of, of which there must be at least one.

    ``unfused``: the best mappings without fusion, or else ``unfused_note``, why there are none. ``stats`` and ``run``
    are what is known of the search and of the process: text, numbers, and mappings and lists of them.
    """

    mappings: Mappings
    title: str = ""
    unfused: Mappings | None = None
    unfused_note: str = ""
    stats: Mapping[str, Any] = attrs.Factory(dict)
    run: Mapping[str, Any] = attrs.Factory(dict)
