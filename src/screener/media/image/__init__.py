"""From an image file to upright pixels."""
