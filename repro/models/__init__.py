"""A spec becomes a network; weights come in; checkpoints are recognised and goldens compared."""
