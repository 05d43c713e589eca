"""What one exploration can serve again: equal Einsums, other sizes of memories, files in a folder."""
