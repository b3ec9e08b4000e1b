"""Conversations with residents: what is said, by whom, and what became of it."""
