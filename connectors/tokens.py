"""Where tokens are kept that change each time they are renewed: what is lost here, the seller must authorize again.

The renewal of an account is one transaction: in its turn, nobody else renews; what is written is durable when the
turn ends, and nothing new is used before that. Whoever is killed in between leaves the old pair, which the platform
honours until the new one is used.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class TokenPair:
    """An access token with the refresh token that leads to the next pair."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    seconds_left: float  # of the access token's life, when it was read or written


class TokenTurn(Protocol):
    """An account's tokens while nobody else may renew them."""

    def read(self) -> TokenPair | None:
        """The pair kept last; None when there is none."""

    def write(self, pair: TokenPair) -> None:
        """Keeps a new pair in place of the old one."""


class TokenStore(Protocol):
    """Keeps the pairs of all accounts, encrypted, for all processes that share an account."""

    def turn(self, account: str, seed: str) -> AbstractContextManager[TokenTurn]:
        """Waits for the account's turn. Pairs that began with another `seed`, the refresh token the seller's
        authorization gave, are not his any more."""
