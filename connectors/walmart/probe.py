"""One cheap look at a Walmart account: does the token come, and does each list answer. One request each."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from connectors.client import Call, ChannelClient
from connectors.errors import AuthenticationError, ConnectorError
from connectors.finding import Finding, unanswered
from connectors.walmart.order_pages import NODE_TYPES, stamp
from connectors.walmart.order_pages import RATE as ORDERS_RATE
from connectors.walmart.pages import INVENTORIES_RATE, ITEMS_RATE, RETURNS_RATE, WFS_RATE
from connectors.walmart.reader import NotFoundError

_CREDENTIALS = (
    "mend WALMART_CLIENT_ID and WALMART_CLIENT_SECRET; Seller Center shows them under API Key Management"
)
_LEFT = "x-current-token-count"


def probe(client: ChannelClient, now: datetime) -> Iterator[Finding]:
    """A finding for the token and each resource, with the requests left where Walmart tells them.

    "Nothing found" is a good answer. Orders are asked for by ship-node type: a seller may use one, two or three.
    """
    for subject, call in _looks(now):
        try:
            answer = client.send(call)
        except NotFoundError:
            found = "answers; nothing in it"
        except AuthenticationError as error:
            yield _refused(subject, error)
            if subject == "products":
                return  # the first look: no other will fare better
            continue
        except ConnectorError as error:
            yield unanswered(subject, error, "try again; if it stays, report it with --debug")
            continue
        else:
            left = answer.headers.get(_LEFT)
            found = "answers" + (f"; {left} requests left" if left else "")
        if subject == "products":
            yield Finding("token", True, "Walmart gives access tokens and answers")
        yield Finding(subject, True, found)


def _refused(subject: str, error: AuthenticationError) -> Finding:
    if subject == "products":
        return Finding("token", False, str(error), _CREDENTIALS)
    if subject == "wfs":
        return Finding(
            "wfs", True, "this seller is not in Walmart Fulfillment Services; no WFS stock is read"
        )
    return Finding(subject, False, str(error), "give the API key access to this list in Seller Center")


def _looks(now: datetime) -> Iterator[tuple[str, Call]]:
    since, until = stamp(now - timedelta(days=1)), stamp(now)
    yield (
        "products",
        Call("walmart.items", ITEMS_RATE, "/v3/items", params=(("nextCursor", "*"), ("limit", "1"))),
    )
    for node_type in NODE_TYPES:
        asked = (("createdStartDate", since), ("limit", "1"), ("shipNodeType", node_type))
        yield f"orders {node_type}", Call("walmart.orders", ORDERS_RATE, "/v3/orders", params=asked)
    dates = (("returnLastModifiedStartDate", since), ("returnLastModifiedEndDate", until), ("limit", "1"))
    yield "returns", Call("walmart.returns", RETURNS_RATE, "/v3/returns", params=dates)
    yield (
        "inventory",
        Call("walmart.inventories", INVENTORIES_RATE, "/v3/inventories", params=(("limit", "1"),)),
    )
    yield (
        "wfs",
        Call(
            "walmart.wfs_inventory", WFS_RATE, "/v3/wfs/inventory", params=(("limit", "1"), ("offset", "0"))
        ),
    )
