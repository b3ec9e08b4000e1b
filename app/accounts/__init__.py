"""People, roles, teams, areas, sessions and devices."""
