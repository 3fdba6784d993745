"""The database of cases, and each step that changes one."""
