"""Waking phones: subscriptions, pushes on their way, and whether they are known to arrive."""
