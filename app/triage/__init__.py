"""Urgent or not, and why."""
