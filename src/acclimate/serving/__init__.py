"""A trained model behind a small local HTTP endpoint."""
