"""Benchmarks: each prints a table and writes figures to bench-results/. `make bench` runs all of them."""
