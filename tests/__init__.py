"""Wharf's tests. `unit` mirrors the packages; `integration` runs on the embedded stack."""
