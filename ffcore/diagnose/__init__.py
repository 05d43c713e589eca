"""Diagnosis: why nothing is valid, and the smallest change of the spec that would help.

`explain_einsums` is for Einsums without pmappings, `explain_join` for Einsums that have pmappings which
do not go together, `find_cause` for a whole problem, as data. All ask the real
search what would be valid if one limit were lifted, on a problem stripped of all costs, so what they report
is true of the search by construction.
"""

from __future__ import annotations

from ffcore.diagnose.cause import Cause, CauseKind, Need
from ffcore.diagnose.einsum import explain_einsums
from ffcore.diagnose.joint import Join, explain_join, find_cause, has_mapping

__all__ = [
    "Cause",
    "CauseKind",
    "Join",
    "Need",
    "explain_einsums",
    "explain_join",
    "find_cause",
    "has_mapping",
]
