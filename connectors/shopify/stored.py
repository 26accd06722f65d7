"""Stored payloads to frames: what a seller kept of Shopify's answers, whatever it was wrapped in.

Recognised by shape: GraphQL answers, connections, lists and single objects, bulk-operation JSONL, the REST
Admin API's pages and webhook bodies, one record a line, and the CSV exports of the admin.
"""

import re
from datetime import datetime

from connectors.base import Account, Channel, Context, Page
from connectors.canonical import Normalized, merge_normalized
from connectors.errors import ConfigurationError, ConnectorError
from connectors.exports import shopify_orders as export
from connectors.exports.shopify_stock import inventory
from connectors.shopify.normalize import RESOURCES, payload

_DRAFTS = re.compile(rb'"draft_?[oO]rders?"\s*:|"gid://shopify/DraftOrder/')


def stored_context(fetched_at: datetime) -> Context:
    """A context for payloads of no particular account."""
    channel = Channel("shopify", "shopify", "shopify", "USD", "UTC")
    return Context(Account("shopify", "shopify", "", "", {}, (channel,)), fetched_at)


def normalize_stored(resource: str, bodies: list[tuple[str, bytes]], context: Context) -> Normalized:
    """Frames of stored payloads, (file name, content) each.

    Raises ConfigurationError when the resource is unknown or a file holds nothing of it.
    """
    if resource not in RESOURCES:
        raise ConfigurationError(f"shopify has no resource {resource!r}; there are {', '.join(RESOURCES)}")
    parts: list[Normalized] = []
    for name, body in bodies:
        try:
            parts.append(_normalized(resource, body, context))
        except ValueError as error:
            if resource != "orders" or not _DRAFTS.search(body):
                raise ConfigurationError(f"{name}: {error}") from error
            parts.append(Normalized(notes=("draft orders are no sales before they are completed: left out",)))
        except ConnectorError as error:
            raise ConfigurationError(f"{name}: {error}") from error
    return merge_normalized(parts)


def _normalized(resource: str, body: bytes, context: Context) -> Normalized:
    if body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in {b"{", b"["}:
        return payload(resource, body, context)
    found = export.resource_of(body)
    if found is None and body.startswith(b"PK\x03\x04"):
        found = resource  # a workbook: its first line is read when it is unpacked
    if found is None or found != resource:
        raise ValueError(f"neither JSON nor an export of {resource}")
    if found == "inventory":
        return inventory(body, context)
    page = Page(body, kind="csv")
    return export.orders(page, context) if found == "orders" else export.products(page, context)
