"""DNR: its tables, networks and claims."""
