"""Text as people write it: pure functions, no I/O."""
