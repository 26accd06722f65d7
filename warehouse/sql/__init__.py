"""Statements too long for Python, one file each, with `{load}` for the attempt's staging tables."""

from functools import cache
from importlib.resources import files


@cache
def read(name: str) -> str:
    """The text of statement `name`, without its comment lines."""
    lines = (files(__name__) / f"{name}.sql").read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("--"))
