"""Readers of list formats, one module a format."""
