"""Hash lists on disk: records, generations and the formats that they come in."""
