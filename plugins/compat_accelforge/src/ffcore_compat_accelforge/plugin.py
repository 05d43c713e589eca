"""The hooks of this distribution: none, as it is a module to import, ``ffcore_compat_accelforge``."""
