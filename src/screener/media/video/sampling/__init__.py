"""Choose the frames of a video that are hashed."""
