"""Changes under fire: many processes that change one store at once, and processes that are killed while they change it."""
