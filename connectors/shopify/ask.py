"""One GraphQL question and its answer, and questions whose answer has many pages."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from connectors.client import Answer, Call, ChannelClient
from connectors.errors import ChannelUnavailableError, ProtocolError, RateLimitError
from connectors.mending import decoded
from connectors.shopify.reader import API_VERSION, GRAPHQL, RATE, MaxCostError, actual_cost
from connectors.shopify.shapes import PageInfo

# Points a first query of its kind is taken to cost; from then on the last one's actual cost is the guess, and
# every answer says what is really left.
_GUESS = 50.0
_SMALLEST_PAGE = 5


class _Data(msgspec.Struct):
    data: dict[str, msgspec.Raw] | None = None


class _Connection(msgspec.Struct, rename="camel"):
    page_info: PageInfo
    nodes: msgspec.Raw


_data = msgspec.json.Decoder(_Data)
_connection = msgspec.json.Decoder(_Connection)


def call(
    client: ChannelClient, name: str, query: str, variables: Mapping[str, Any], cost: float = _GUESS
) -> Call:
    """The request for one document. `cost` is what it is expected to be charged."""
    version = client.account.options.get("api_version", API_VERSION)
    return Call(
        operation=GRAPHQL,
        rate=RATE,
        method="POST",
        path=f"/admin/api/{version}/graphql.json",
        json={"query": query, "variables": dict(variables), "operationName": name},
        headers={"Content-Type": "application/json", "Accept": "application/json"},
        cost=cost,
    )


def ask(client: ChannelClient, name: str, query: str, variables: Mapping[str, Any]) -> dict[str, msgspec.Raw]:
    """The `data` of an answer, by field. Raises ConnectorError."""
    return data_of(client, name, client.send(call(client, name, query, variables)))


def data_of(client: ChannelClient, name: str, answer: Answer) -> dict[str, msgspec.Raw]:
    """The `data` of an answer that has passed the reader. Raises ProtocolError when there is none."""
    if told := other_version(client, answer):
        client.warn(told)
    try:
        data = decoded(_data, answer.body).data
    except msgspec.MsgspecError as error:
        raise ProtocolError(
            f"{client.account.name} {name}: the answer is not what was asked for: {error}"
        ) from error
    if data is None:
        raise ProtocolError(f"{client.account.name} {name}: an answer without data")
    return data


def other_version(client: ChannelClient, answer: Answer) -> str | None:
    """What to know of an answer in another version than the one asked for; None when it is that one.

    Shopify answers calls of a version that has left support in the oldest one it supports, without an error.
    """
    asked = client.account.options.get("api_version", API_VERSION)
    served = answer.headers.get("x-shopify-api-version")
    if not served or served == asked:
        return None
    return (
        f"asked for API version {asked}, answered by {served}; it has left support, set SHOPIFY_API_VERSION"
    )


def connection_of(client: ChannelClient, name: str, answer: Answer, field: str) -> _Connection:
    """The connection `field` of an answer: its page info, its nodes still raw."""
    data = data_of(client, name, answer)
    try:
        return _connection.decode(data[field])
    except (KeyError, msgspec.MsgspecError) as error:
        raise ProtocolError(f"{client.account.name} {name}: no connection {field} in the answer") from error


def pages(
    client: ChannelClient, name: str, query: str, variables: Mapping[str, Any], *, field: str, first: int
) -> Iterator[Answer]:
    """Every page of connection `field`, `first` nodes each; fewer when Shopify finds that too costly.

    A cursor or a page that comes a second time is an error.
    """
    after: str | None = None

    def page_call(cost: float) -> Call:
        return call(client, name, query, {**variables, "first": first, "after": after}, cost)

    def advance(answer: Answer) -> Call | None:
        nonlocal after
        info = connection_of(client, name, answer, field).page_info
        if not info.has_next_page:
            return None
        if not info.end_cursor:
            raise ProtocolError(f"{client.account.name} {name}: more pages announced and no cursor to them")
        after = info.end_cursor
        return page_call(actual_cost(answer) or _GUESS)

    def content(answer: Answer) -> bytes:
        nodes = bytes(connection_of(client, name, answer, field).nodes)
        return b"" if nodes == b"[]" else nodes

    while True:
        try:
            yield from client.follow(page_call(_GUESS), advance, content)
        except MaxCostError:
            if first == 1:
                raise
        except RateLimitError:
            raise
        except ChannelUnavailableError:
            # Shopify times out on large pages; a small one that fails is a fault of another kind.
            if first <= _SMALLEST_PAGE:
                raise
        else:
            return
        first = max(first // 2, 1)
