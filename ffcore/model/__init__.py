"""The analytical model: energy, latency and memory usage of mappings (plain Python, exact)."""
