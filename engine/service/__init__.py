"""The background engine: leases, executors, recovery."""
