"""Sentences and pages in Arabic, French and English."""
