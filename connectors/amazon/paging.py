"""What paging has in common for all of Amazon's lists: reading an answer's wrapper, and asking for the next one."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

import msgspec

from connectors.amazon.normalize.decoding import storable, untyped
from connectors.base import Page
from connectors.client import Answer, Call, ChannelClient
from connectors.errors import AuthenticationError, ProtocolError

_Kind = TypeVar("_Kind")


class Next(msgspec.Struct):
    """Where an answer says how to go on."""

    nextToken: str | None = None


def marketplaces(client: ChannelClient) -> tuple[str, ...]:
    """Ids of the account's marketplaces."""
    return tuple(channel.external_id for channel in client.account.channels)


def one_by_one(client: ChannelClient, read: Callable[[str], Iterator[Page]]) -> Iterator[Page]:
    """What `read` gives for each marketplace. One that is refused (HTTP 403) does not stop the others.

    Raises AuthenticationError when all of them are refused.
    """
    channels = client.account.channels
    for channel in channels:
        try:
            yield from read(channel.external_id)
        except AuthenticationError as error:
            if len(client.refused.keys() | {channel.name}) == len(channels):
                raise
            client.refuse(channel.name, str(error))


def together(client: ChannelClient, read: Callable[[tuple[str, ...]], Iterator[Page]]) -> Iterator[Page]:
    """What `read` gives for all marketplaces at once; where that is refused, for each that is not."""
    places = marketplaces(client)
    try:
        yield from read(places)
    except AuthenticationError:
        if len(places) == 1:
            raise
    else:
        return
    yield from one_by_one(client, lambda place: read((place,)))


def reading(operation: str, kind: type[_Kind]) -> Callable[[Answer], _Kind]:
    """Decodes answers to `kind`. Raises ProtocolError when one lacks the list it must have."""
    decoder = msgspec.json.Decoder(kind, strict=False)

    def read(answer: Answer) -> _Kind:
        try:
            return decoder.decode(answer.body)
        except msgspec.ValidationError as error:
            raise ProtocolError(
                f"amazon {operation}: the answer is not what the API promises: {error}"
            ) from error
        except msgspec.DecodeError:
            # Not strict JSON (a bare NaN): the normalizer reads that too, so paging must.
            plain = untyped(answer.body, operation)
            return msgspec.json.decode(msgspec.json.encode(storable(plain)), type=kind, strict=False)

    return read


def following(first: Call, name: str, token: str | None) -> Call | None:
    """`first` again with the page token and every other parameter the same; None without one."""
    return replace(first, params=(*first.params, (name, token))) if token else None


def content_of(part: bytes) -> bytes:
    """What must differ between pages; nothing of an empty page, for those may repeat."""
    return b"" if part.strip() in (b"[]", b"null", b"") else part
