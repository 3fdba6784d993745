"""Which frames of a video are looked at."""
