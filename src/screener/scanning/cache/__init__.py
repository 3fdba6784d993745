"""Hashes that are kept for later lists."""
