"""The cases on disk, and each step that changes one."""
