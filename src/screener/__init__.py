"""Match images against lists of hashes of known abuse material: exact, indexed, never silent."""
