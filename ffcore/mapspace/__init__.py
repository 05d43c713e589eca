"""Sizes of the mapspace: how many pmappings there are (``total``) and how many of them fit (``valid``)."""
