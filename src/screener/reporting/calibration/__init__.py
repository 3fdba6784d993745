"""Calibration: false matches and recall at each radius, on the operator's own pictures."""
