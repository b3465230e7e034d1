"""What people say to each other: one normal form, one store, and readers that make something of it."""
