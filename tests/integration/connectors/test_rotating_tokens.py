"""Tokens that change with each use: kept before they are used, by one process at a time, and never in clear."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from connectors.client import ChannelClient
from connectors.errors import AuthenticationError
from connectors.shopify import open_client
from connectors.shopify.auth import auth_of
from connectors.shopify.scopes import granted
from connectors.tokens import TokenPair, TokenStore
from flows.sealing import Vault
from flows.tokens import SealedTokens
from tests.sandbox_factories import small_world
from tests.shopify_factories import account, shop
from warehouse import schema
from warehouse.engines import postgres


@pytest.fixture
def desk(database_url):
    """A shop whose app has a refresh token, and where Wharf keeps what follows it."""
    schema.upgrade(database_url, None)
    engine = postgres(database_url)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM ops.tokens"))
    with shop(small_world(), pace=1) as (state, url):
        plain = account(url, static=False)
        seed = SecretStr(state.secrets.shopify_refresh_token)
        seller = replace(plain, credentials={**plain.credentials, "refresh_token": seed})
        yield SimpleNamespace(
            state=state, engine=engine, seller=seller, tokens=SealedTokens(engine, Vault(["a key"]))
        )
    engine.dispose()


def asked(desk: SimpleNamespace) -> int:
    return sum(desk.state.requests.counts().get("shopify.token", {}).values())


@contextmanager
def client(desk: SimpleNamespace, tokens: TokenStore | None = None) -> Iterator[ChannelClient]:
    with open_client(desk.seller, tokens=tokens or desk.tokens) as talking:
        yield talking


def test_a_pair_is_kept_sealed_and_shared_by_everybody(desk):
    with client(desk) as one, client(desk) as other:
        assert "read_orders" in granted(one)[0]
        assert granted(other)[0] == granted(one)[0]
    assert asked(desk) == 1
    with desk.engine.connect() as connection:
        [row] = connection.execute(text("SELECT * FROM ops.tokens"))
    kept = " ".join(map(str, row))
    assert "shpat_" not in kept
    assert "shprt_" not in kept


def test_a_dead_token_is_renewed_once_by_all_who_meet_it(desk):
    with client(desk) as one, client(desk) as other:
        granted(one), granted(other)
        desk.state.tokens.expire_all()
        with ThreadPoolExecutor(2) as pool:
            assert len(list(pool.map(granted, (one, other)))) == 2
    assert asked(desk) == 2
    with client(desk) as later:  # each refresh token was good once: the chain goes on
        desk.state.tokens.expire_all()
        granted(later)
    assert asked(desk) == 3


def test_who_is_killed_between_the_answer_and_the_store_loses_nothing(desk):
    class Killed(BaseException):
        pass

    class Dying(SealedTokens):
        @contextmanager
        def turn(self, account: str, seed: str):
            with super().turn(account, seed) as turn:

                def write(pair: TokenPair) -> None:
                    raise Killed

                yield SimpleNamespace(read=turn.read, write=write)

    with client(desk) as one:
        granted(one)
    desk.state.tokens.expire_all()
    with client(desk, Dying(desk.engine, desk.tokens.vault)) as dying, pytest.raises(Killed):
        granted(dying)
    with client(desk) as later:
        assert "read_orders" in granted(later)[0]


def test_tokens_follow_a_change_of_keys(desk):
    with client(desk) as one:
        granted(one)
    assert SealedTokens(desk.engine, Vault(["a new key", "a key"])).reseal() == 1
    with client(desk, SealedTokens(desk.engine, Vault(["a new key"]))) as later:
        granted(later)
    assert asked(desk) == 1


def test_a_new_authorization_replaces_a_chain_that_ended(desk):
    with client(desk) as one:
        granted(one)
    stale = replace(
        desk.seller, credentials={**desk.seller.credentials, "refresh_token": SecretStr("shprt_other")}
    )
    with pytest.raises(AuthenticationError, match="SHOPIFY_REFRESH_TOKEN") as caught:
        auth_of(stale, desk.tokens).headers()
    assert "shprt_" not in str(caught.value)
    with pytest.raises(AuthenticationError, match="DATABASE_URL"):
        auth_of(desk.seller)
