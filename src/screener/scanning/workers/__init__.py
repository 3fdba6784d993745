"""The processes of a scan or Pool. Each opens files and may die of one; none knows a list."""
