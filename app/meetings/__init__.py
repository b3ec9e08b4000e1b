"""Residents' meetings: what is asked in a hall, on tablets and phones, and what becomes of it."""
