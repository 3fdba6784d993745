"""What the machine allows: files, locks, processes, SQLite, signatures, extras."""
