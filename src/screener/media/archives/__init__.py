"""Zip, tar and compressed files: one input for each member."""
