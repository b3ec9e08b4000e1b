"""Replies on their way to a channel, with an honest state at each step."""
