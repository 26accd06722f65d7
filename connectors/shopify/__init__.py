"""Shopify Admin GraphQL: orders with refunds, products, inventory and abandoned checkouts of one shop."""

from connectors.shopify.reader import open_client

__all__ = ["open_client"]
