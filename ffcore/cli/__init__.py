"""The command line ``ff``."""
