"""Pictures: from a file's bytes to upright pixels."""
