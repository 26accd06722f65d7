"""What Walmart's answers become: one pure function per resource, each `(Page, Context) -> Normalized`."""

from connectors.walmart.normalize_fees import fees
from connectors.walmart.normalize_inventory import inventory
from connectors.walmart.normalize_items import products
from connectors.walmart.normalize_orders import orders
from connectors.walmart.normalize_returns import returns

__all__ = ["fees", "inventory", "orders", "products", "returns"]
