"""Archives: one input for each member of a zip, tar or compressed tar file."""
