"""Dynamic normalization and relay (DNR, NeurIPS 2021)."""
