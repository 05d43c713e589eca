"""A TPU-v4i-like architecture for ffcore, as a parameterised Python model."""
