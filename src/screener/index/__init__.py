"""Exact search over packed codes; knows nothing of images or lists."""
