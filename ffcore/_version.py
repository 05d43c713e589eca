"""The version, where everything below the package's face may read it."""

__version__ = "0.2.0"
