"""The local stack: PostgreSQL and ClickHouse from wheels, Prefect, and whatever else `wharf up` keeps running."""
