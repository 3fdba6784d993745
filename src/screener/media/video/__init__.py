"""Videos: from a file to sampled frames."""
