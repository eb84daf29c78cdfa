"""AdaFuse for inference: only what the decisions ask for is computed."""
