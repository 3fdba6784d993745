"""Stored hashes of scanned inputs, to be matched with later lists."""
