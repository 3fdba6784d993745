"""Formats of pictures, a module each: what Pillow shows otherwise than viewers do, or never."""
