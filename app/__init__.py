"""Stoep: the neighbourhood in a coordinator's pocket."""

__version__ = "0.1.0"
