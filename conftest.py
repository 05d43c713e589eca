"""Settings of all tests, core's and the plugins'."""

from __future__ import annotations

from hypothesis import settings

# The same examples in every run: a red run can be repeated, and a green one means the same everywhere.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
