"""A table becomes jobs, jobs become processes, a process writes a record."""
