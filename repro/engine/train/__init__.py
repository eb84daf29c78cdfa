"""The training of a network."""
