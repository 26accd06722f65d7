"""Amazon: Selling Partner API in, canonical frames out."""

from connectors.amazon.reader import open_client
from connectors.amazon.resources import RESOURCES

__all__ = ["RESOURCES", "open_client"]
