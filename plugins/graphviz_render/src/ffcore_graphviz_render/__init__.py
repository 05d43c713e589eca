"""Pictures of ffcore's workloads, architectures and mappings, drawn by Graphviz."""
