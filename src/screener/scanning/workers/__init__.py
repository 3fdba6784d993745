"""The processes of a scan, each of which opens files and may die of one; know nothing of lists."""
