"""Which frames of a video are hashed."""
