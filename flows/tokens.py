"""The accounts' rotating tokens in PostgreSQL, sealed like all that is secret at rest."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine

from connectors.tokens import TokenPair
from flows.sealing import Vault
from warehouse import tokens


@dataclass(frozen=True)
class _Turn:
    turn: tokens.Turn
    vault: Vault

    def read(self) -> TokenPair | None:
        kept = self.turn.read()
        if kept is None:
            return None
        sealed, seconds_left = kept
        opened = json.loads(self.vault.open_text(sealed))
        return TokenPair(opened["access"], opened["refresh"], seconds_left)

    def write(self, pair: TokenPair) -> None:
        sealed = self.vault.seal(json.dumps({"access": pair.access, "refresh": pair.refresh}))
        self.turn.write(sealed, pair.seconds_left)


@dataclass(frozen=True)
class SealedTokens:
    """A `connectors.tokens.TokenStore`."""

    engine: Engine
    vault: Vault

    @contextmanager
    def turn(self, account: str, seed: str) -> Iterator[_Turn]:
        """Waits for the account's turn; what was written in it is durable when it ends."""
        with tokens.turn(self.engine, account, seed) as held:
            yield _Turn(held, self.vault)

    def reseal(self) -> int:
        """Seals every account's tokens with the newest key; returns how many."""
        return tokens.reseal(self.engine, lambda sealed: self.vault.renew(json.loads(sealed)))
