"""AdaFuse: its tables, networks and claims."""
