"""Evaluation of a spec: from what the user wrote to the numbers that the mapper works on."""

from ffcore.spec.resolve.job import ArchPath, build_problem, totals

__all__ = ["ArchPath", "build_problem", "totals"]
