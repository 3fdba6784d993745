"""Notices to providers and partners, and their answers."""
