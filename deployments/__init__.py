"""The `wharf` command and the stack it runs: local services, schedules, bootstrap."""
