"""Which residents may be one person: suggested with a reason, said by a person, undone exactly."""
