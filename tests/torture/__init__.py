"""The simulation against the real program: real processes, real databases, real mail."""
