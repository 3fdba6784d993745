"""Reports from the public, sealed files, and the status file."""
