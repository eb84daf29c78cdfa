"""PSN: its tables, networks and claims."""
