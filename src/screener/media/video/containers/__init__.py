"""Containers of videos: what is read from a file without decoding it."""
