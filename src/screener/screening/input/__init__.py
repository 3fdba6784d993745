"""The hashes of one input: of every frame, region and orientation."""
