"""Our networks held against reference outputs of public code."""
