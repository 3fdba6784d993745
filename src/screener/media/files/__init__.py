"""Bytes of an input: open, recognised, limited."""
