"""What the three sandbox APIs share while they run: the world, its clock, limits, tokens, secrets, faults."""

# ruff: noqa: S105 -- the sandbox accepts these invented secrets and no others

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from connectors.sandbox.faults import Faults, current_exchange
from connectors.sandbox.world import Market, Platform, World


@dataclass(frozen=True)
class Secrets:
    """What the sandbox accepts as proof. Invented, public, and good for nothing else."""

    amazon_client_id: str = "amzn1.application-oa2-client.sandbox"
    amazon_client_secret: str = "amzn1.oa2-cs.v1.sandbox"
    amazon_refresh_token: str = "Atzr|sandbox"
    amazon_seller_id: str = "A1WHARFSANDBOX"
    shopify_shop: str = "wharf-demo"
    shopify_access_token: str = "shpat_sandbox"  # a custom app's static token: never expires
    shopify_client_id: str = "shopify-sandbox-client"
    shopify_client_secret: str = "shpss_sandbox"
    shopify_refresh_token: str = "shprt_sandbox"
    walmart_client_id: str = "walmart-sandbox-client"
    walmart_client_secret: str = "walmart-sandbox-secret"


class Clock:
    """The world's time: the real one moved by an offset, or standing still at an instant."""

    def __init__(self, real: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._real = real
        self._offset = timedelta(0)
        self._frozen: datetime | None = None
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            return self._frozen or self._real() + self._offset

    def shift(self, offset: timedelta) -> None:
        """Run `offset` away from real time."""
        with self._lock:
            self._offset, self._frozen = offset, None

    def set(self, instant: datetime) -> None:
        """Say that it is `instant`, and go on from there."""
        with self._lock:
            self._offset, self._frozen = _aware(instant) - self._real(), None

    def freeze(self, instant: datetime | None = None) -> None:
        """Stand still at `instant`, or where the clock is."""
        with self._lock:
            self._frozen = _aware(instant) if instant else self._frozen or self._real() + self._offset

    @property
    def is_frozen(self) -> bool:
        return self._frozen is not None

    @property
    def offset(self) -> timedelta:
        return self._offset


class Limiter:
    """Server-side token buckets on real time that runs `pace` times as fast as published."""

    def __init__(self, pace: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._pace = pace
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # key: tokens, when
        self._lock = threading.Lock()

    def take(self, key: str, per_second: float, burst: float, cost: float = 1.0) -> tuple[bool, float, float]:
        """Spend `cost` tokens of bucket `key`: (allowed, tokens left, real seconds until allowed).

        `per_second` is the published rate. A refused request spends nothing.
        """
        rate = per_second * self._pace
        with self._lock:
            now = self._clock()
            tokens, at = self._buckets.get(key, (burst, now))
            tokens = min(burst, tokens + (now - at) * rate)
            # Ten refills of a tenth are a whole token: rounding must not refuse it.
            allowed = tokens + 1e-9 >= cost
            if allowed:
                tokens -= cost
            self._buckets[key] = (tokens, now)
        return allowed, max(tokens, 0.0), 0.0 if allowed else (cost - tokens) / rate

    def give_back(self, key: str, amount: float, burst: float) -> None:
        """Return tokens that were asked for and not used (Shopify charges the actual cost)."""
        with self._lock:
            tokens, at = self._buckets.get(key, (burst, self._clock()))
            self._buckets[key] = (min(burst, tokens + amount), at)

    def reset(self) -> None:
        """All buckets full."""
        with self._lock:
            self._buckets.clear()


class Tokens:
    """Access tokens given out, each good for one kind of API and `lifetime / pace` real seconds."""

    def __init__(self, pace: float = 1.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._pace = pace
        self._clock = clock
        self._ends: dict[str, tuple[str, float]] = {}  # token: kind, end
        self._lock = threading.Lock()

    def issue(self, kind: str, lifetime_seconds: float, prefix: str = "") -> str:
        """A new token; `kind` is what it opens, e.g. "amazon"."""
        token = f"{prefix}{kind}-{secrets.token_urlsafe(24)}"
        with self._lock:
            now = self._clock()
            self._ends = {known: entry for known, entry in self._ends.items() if entry[1] > now}
            self._ends[token] = (kind, now + lifetime_seconds / self._pace)
        return token

    def valid(self, token: str | None, kind: str | None = None) -> bool:
        """Whether `token` was issued (for `kind`, when named) and has not expired."""
        with self._lock:
            entry = self._ends.get(token or "")
            return entry is not None and entry[1] > self._clock() and kind in (None, entry[0])

    def expire_all(self) -> None:
        with self._lock:
            self._ends.clear()


class Requests:
    """How many requests each operation got, by status."""

    def __init__(self) -> None:
        self._counts: dict[str, dict[int, int]] = {}
        self._lock = threading.Lock()

    def note(self, operation: str, status: int) -> None:
        with self._lock:
            by_status = self._counts.setdefault(operation, {})
            by_status[status] = by_status.get(status, 0) + 1

    def counts(self) -> dict[str, dict[int, int]]:
        """operation → status → requests. A throttled answer is noted as 429 though it may have said 200."""
        with self._lock:
            return {operation: dict(by_status) for operation, by_status in sorted(self._counts.items())}

    def clear(self) -> None:
        with self._lock:
            self._counts.clear()


@dataclass
class SandboxState:
    """Everything a platform module needs; one per running sandbox, shared by all requests and threads."""

    world: World
    pace: float = 1.0  # limits, token lifetimes and processing times run this many times as fast
    secrets: Secrets = field(default_factory=Secrets)
    clock: Clock = field(default_factory=Clock)
    faults: Faults = field(default_factory=Faults)
    requests: Requests = field(default_factory=Requests)
    limiter: Limiter = field(init=False)
    tokens: Tokens = field(init=False)

    def __post_init__(self) -> None:
        self.limiter = Limiter(self.pace)
        self.tokens = Tokens(self.pace)

    def now(self) -> datetime:
        """The world's clock, aware UTC."""
        return self.clock.now()

    def throttled(self) -> None:
        """Count the request under way as refused for its rate (for answers that are throttled with a 200)."""
        exchange = current_exchange.get()
        if exchange is not None:
            exchange.throttled = True

    def market(self, platform: Platform, external_id: str | None) -> Market | None:
        """The market the platform calls `external_id`; None when the merchant does not sell there."""
        return next((m for m in self.markets(platform) if m.external_id == external_id), None)

    def markets(self, platform: Platform) -> tuple[Market, ...]:
        """The merchant's markets on one platform, in the world's order."""
        return tuple(m for m in self.world.markets if m.platform == platform)


def _aware(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError(f"an instant needs a time zone: {instant.isoformat()}")
    return instant.astimezone(UTC)
