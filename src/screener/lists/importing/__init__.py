"""From the rows of a file to a new generation: what they say, what is set aside, what is let in."""
