"""Reports of ffcore's mappings as one self-contained HTML file."""
