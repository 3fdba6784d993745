"""From bytes to upright pixels; knows nothing of hashes or lists."""
