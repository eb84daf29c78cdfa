"""What everything stands on: specs, paths, errors, files, leases, the environment. No torch when imported."""
