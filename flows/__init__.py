"""The only place that knows Prefect: order, retries and the clock."""
