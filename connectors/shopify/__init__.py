"""Shopify Admin GraphQL: orders with refunds, products, inventory and abandoned checkouts of one shop."""
