"""Sales channels: HTTP in, canonical Polars frames out."""
