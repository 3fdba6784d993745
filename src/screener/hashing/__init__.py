"""Hashes of pixels and of bytes: one module per family, each with `compute`."""
