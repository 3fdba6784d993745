"""Notices to providers and partners, and what they answer."""
