"""The files that a call names."""
