"""Sweeps: one job under many values of its parameters, pmappings shared where that is exact.

``ffcore.sweep`` is the call (``ffcore.sweeps.run``); ``ff sweep`` does the same into a folder.
"""
