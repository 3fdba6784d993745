"""Many inputs: scan, and rescan of what a cache keeps."""
