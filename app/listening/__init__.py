"""What is said in the neighbourhood, and not to us: heard, never mixed with questions."""
