"""Readers of list formats, one module per format."""
