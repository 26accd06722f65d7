"""PostgreSQL (what we believe) and ClickHouse (what we look at), and nothing else."""
