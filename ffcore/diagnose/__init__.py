"""Diagnosis: why nothing is valid, and the smallest change of the spec that would help.

`explain_einsum` is for an Einsum without pmappings, `explain_join` for Einsums that have pmappings which
do not go together, `explain` for a whole problem (`find_cause` gives the same as data). All ask the real
search what would be valid if one limit were lifted, on a problem stripped of all costs, so what they report
is true of the search by construction.
"""

from __future__ import annotations

from ffcore.diagnose.cause import Cause, CauseKind, Need
from ffcore.diagnose.einsum import explain_einsum, explain_einsums
from ffcore.diagnose.joint import Join, explain, explain_join, find_cause, has_mapping

__all__ = [
    "Cause",
    "CauseKind",
    "Join",
    "Need",
    "explain",
    "explain_einsum",
    "explain_einsums",
    "explain_join",
    "find_cause",
    "has_mapping",
]
