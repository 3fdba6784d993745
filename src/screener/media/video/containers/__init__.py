"""The structure of video files, read without decoding."""
