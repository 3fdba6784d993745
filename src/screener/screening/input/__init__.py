"""One input as its hashes: every frame, region and orientation."""
