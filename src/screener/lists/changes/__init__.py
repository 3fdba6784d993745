"""Changes of a list other than imports: opinions, rollback, purge."""
