"""From the hashes of inputs to what a list has of them, and whether that clears an input."""
