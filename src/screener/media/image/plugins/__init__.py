"""Plugins that replace Pillow's own if those show a picture differently from viewers."""
