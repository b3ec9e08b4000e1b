"""Who is woken by an urgent question, and what becomes of it until somebody has seen it."""
