"""Hash lists on disk: records, generations and file formats."""
