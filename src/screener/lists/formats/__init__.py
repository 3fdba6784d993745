"""One module per exchange format: a reader and, where it makes sense, a writer."""
