"""What a list holds, and whether it is sound."""
