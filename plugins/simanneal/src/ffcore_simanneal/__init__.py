"""Baseline searches for ffcore: what people use instead of an exact mapper, in the same mapspace."""
