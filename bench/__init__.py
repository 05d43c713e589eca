"""Benchmarks of ffcore as whole processes; ``python -m bench --help``."""
