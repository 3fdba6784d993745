"""Exports of a list to other programs and organisations."""
