"""What the app may see of a shop: the scopes it was granted, and the wall that stands without one of them.

Orders older than 60 days are invisible without the scope `read_all_orders`: no error, just no rows, whether they are
asked for, counted or changed since.
"""

from datetime import timedelta

import msgspec

from connectors.client import Answer, ChannelClient
from connectors.errors import ProtocolError
from connectors.shopify import queries
from connectors.shopify.ask import call, data_of

WALL = timedelta(days=60)  # since an order was placed
ALL_ORDERS = "read_all_orders"
READ_CUSTOMERS = "read_customers"
READ_RETURNS = "read_returns"


class Scope(msgspec.Struct):
    handle: str


class Installation(msgspec.Struct, rename="camel"):
    access_scopes: list[Scope]

    def handles(self) -> set[str]:
        return {scope.handle for scope in self.access_scopes}


def granted(client: ChannelClient) -> tuple[set[str], Answer]:
    """The scopes of the app, and the answer that told them. Raises ConnectorError."""
    answer = client.send(call(client, "Scopes", queries.SCOPES, {}))
    told = data_of(client, "Scopes", answer)
    try:
        return msgspec.json.decode(told["currentAppInstallation"], type=Installation).handles(), answer
    except (KeyError, msgspec.MsgspecError) as error:
        raise ProtocolError(
            f"{client.account.name} Scopes: the answer does not list them: {error}"
        ) from error


def lacks(client: ChannelClient, scope: str) -> bool:
    """Whether the app was not granted a scope, which is why something was refused. Raises ConnectorError."""
    return scope not in granted(client)[0]


def order_wall(client: ChannelClient) -> str | None:
    """Why older orders are invisible to this account; None when they are not. Raises ConnectorError."""
    if ALL_ORDERS in granted(client)[0]:
        return None
    return f"the app lacks the scope {ALL_ORDERS}; grant it, install the app again, then backfill"
