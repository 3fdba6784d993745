"""Reports about result files, as HTML and CSV."""
