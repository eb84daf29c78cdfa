"""Printed values (`published/`) and measurements (`records/`). Data only."""
