"""The sandbox's clock, limits and tokens."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors.sandbox.state import Clock, Limiter, SandboxState, Tokens
from tests.sandbox_factories import HandWorld

START = datetime(2026, 1, 1, tzinfo=UTC)


class Hand:
    """A clock moved by hand, in seconds."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def real(self) -> datetime:
        return START + timedelta(seconds=self.seconds)


def test_clock_runs_beside_real_time():
    hand = Hand()
    clock = Clock(hand.real)

    clock.shift(timedelta(days=-2))
    hand.seconds = 60

    assert clock.now() == START - timedelta(days=2) + timedelta(minutes=1)


def test_clock_set_to_an_instant_goes_on_from_there_and_frozen_stands_still():
    hand = Hand()
    clock = Clock(hand.real)

    clock.set(datetime(2011, 12, 9, tzinfo=UTC))
    hand.seconds = 5
    went_on = clock.now()
    clock.freeze()
    hand.seconds = 500

    assert went_on == datetime(2011, 12, 9, 0, 0, 5, tzinfo=UTC)
    assert clock.now() == went_on
    assert clock.is_frozen


def test_clock_refuses_an_instant_without_a_zone():
    with pytest.raises(ValueError, match="time zone"):
        Clock().freeze(datetime(2026, 1, 1))  # noqa: DTZ001 without a zone on purpose


def test_bucket_gives_its_burst_then_says_how_long_to_wait():
    hand = Hand()
    limiter = Limiter(pace=1, clock=hand.monotonic)

    given = [limiter.take("orders", 0.5, 3)[0] for _ in range(4)]
    allowed, left, wait = limiter.take("orders", 0.5, 3)

    assert given == [True, True, True, False]
    assert (allowed, left, wait) == (False, 0.0, 2.0)


def test_bucket_restores_pace_times_as_fast():
    hand = Hand()
    limiter = Limiter(pace=10, clock=hand.monotonic)
    for _ in range(3):
        limiter.take("orders", 0.5, 3)

    hand.seconds = 0.2  # ten times 0.5 a second: one token
    assert limiter.take("orders", 0.5, 3)[0]
    assert limiter.take("orders", 0.5, 3)[2] == pytest.approx(0.2)


def test_bucket_never_holds_more_than_its_burst_and_takes_back_what_was_not_used():
    hand = Hand()
    limiter = Limiter(clock=hand.monotonic)
    limiter.take("shop", 100, 1000, cost=900)

    limiter.give_back("shop", 800, 1000)
    assert limiter.take("shop", 100, 1000, cost=0)[1] == 900
    hand.seconds = 3600
    assert limiter.take("shop", 100, 1000, cost=0)[1] == 1000


def test_buckets_are_apart():
    limiter = Limiter(clock=lambda: 0.0)
    limiter.take("a", 1, 1)

    assert not limiter.take("a", 1, 1)[0]
    assert limiter.take("b", 1, 1)[0]


def test_token_opens_its_own_api_until_its_scaled_life_ends():
    hand = Hand()
    tokens = Tokens(pace=60, clock=hand.monotonic)
    token = tokens.issue("walmart", 900)

    assert tokens.valid(token, "walmart")
    assert not tokens.valid(token, "amazon")
    hand.seconds = 15  # 900 s / 60
    assert not tokens.valid(token, "walmart")


def test_all_tokens_can_be_ended_at_once():
    tokens = Tokens()
    token = tokens.issue("amazon", 3600, prefix="Atza|")
    tokens.expire_all()

    assert token.startswith("Atza|")
    assert not tokens.valid(token)
    assert not tokens.valid(None)


def test_state_finds_markets_by_what_the_platform_calls_them():
    state = SandboxState(HandWorld())

    assert state.market("shopify", "shop") is state.world.markets[0]
    assert state.market("amazon", "shop") is None
    assert state.markets("walmart") == ()
