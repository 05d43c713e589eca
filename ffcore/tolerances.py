"""How far two numbers may differ and still count as equal, said once.

Counts, tile sizes and trips are integers and compared exactly. What is left are sums and quotients of floats.
The exhaustive mapper, a plugin, keeps tolerances of its own on purpose: it is what the rest is held to.
"""

from __future__ import annotations

FITS = 1 + 1e-12
"""A memory of ``size`` bits holds tiles of up to ``size * FITS``: sums of widths like 1/3 bit are rounded."""

FANOUT = 1 + 1e-9
"""A dimension may be used to the share ``FANOUT``: a share is a quotient of integers times a scale as typed."""

SAME = 1e-9
"""Two results are the same if they differ by this share: search and model add the same terms in another order."""

ROUNDING = 1 + 1e-12
"""Within one search, of two values whose quotient is below this none is better: only their last bits differ."""

NOT_WORSE = 1 + 1e-13
"""A sum may exceed another by this factor and still count as no worse: the terms are the same, in another order."""

BETTER = 1 + 1e-9
"""A known mapping must be better by this factor before a search lets something go because of it."""
