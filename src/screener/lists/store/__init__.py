"""The list on disk: records in SQLite, index segments beside them."""
