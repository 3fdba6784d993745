"""Reports from the public: created, sealed, opened, and their status file."""
