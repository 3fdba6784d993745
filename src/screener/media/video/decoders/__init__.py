"""Decoders of video: PyAV and OpenCV."""
