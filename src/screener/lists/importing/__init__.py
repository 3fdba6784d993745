"""Import the rows of a file into a new generation of a list."""
