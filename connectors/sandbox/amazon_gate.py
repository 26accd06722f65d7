"""What every answer of the sandbox's Selling Partner API has in common: token, rate, errors, page tokens."""

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.amazon.marketplaces import MARKETPLACES
from connectors.sandbox.faults import Fault
from connectors.sandbox.state import SandboxState
from connectors.sandbox.world import Market

TOKEN_LIFETIME = 3600
TOO_FRESH = timedelta(minutes=2)

Handler = Callable[["Ask"], Any]
_encoder = msgspec.json.Encoder(decimal_format="number")


class ApiError(Exception):
    """An error answer of the API: {"errors": [{code, message, details}]}."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"errors": [{"code": code, "message": message, "details": ""}]}


def invalid(message: str) -> ApiError:
    """400: a parameter is missing or wrong."""
    return ApiError(400, "InvalidInput", message)


class Ask:
    """One request that passed the gate: its parameters and the content fault it meets."""

    def __init__(self, request: Request, state: SandboxState, fault: Fault | None, body: bytes) -> None:
        self.request, self.state, self.fault, self.body = request, state, fault, body
        self.now = state.now()

    def param(self, name: str) -> str | None:
        """A query parameter; None when absent or empty."""
        return self.request.query_params.get(name) or None

    def listed(self, name: str, most: int, allowed: Sequence[str] | None = None) -> list[str]:
        """A list parameter, repeated or separated by commas, or 400."""
        given = [
            part for value in self.request.query_params.getlist(name) for part in value.split(",") if part
        ]
        if len(given) > most:
            raise invalid(f"{name}: at most {most} values")
        if allowed is not None and (unknown := [value for value in given if value not in allowed]):
            raise invalid(f"{name}: unknown value {unknown[0]}")
        return given

    def whole(self, name: str, default: int, most: int) -> int:
        """A number from 1 to `most`, or 400."""
        given = self.param(name)
        if given is None:
            return default
        if not given.isdigit() or not 1 <= int(given) <= most:
            raise invalid(f"{name} must be between 1 and {most}")
        return int(given)

    def instant(self, name: str, *, settled: bool = False) -> datetime | None:
        """An ISO 8601 instant, or 400; `settled`: it must be two minutes old."""
        given = self.param(name)
        if given is None:
            return None
        try:
            at = datetime.fromisoformat(given)
        except ValueError:
            raise invalid(f"{name} is not ISO 8601") from None
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        if settled and at > self.now - TOO_FRESH:
            raise invalid(f"{name} must be at least two minutes before the time of the request")
        return at

    def markets(
        self, name: str = "marketplaceIds", most: int = 50, *, required: bool = False
    ) -> list[Market]:
        """The seller's markets among the ids asked for (none asked for: all of them)."""
        ids = self.listed(name, most)
        if required and not ids:
            raise invalid(f"{name} is required")
        known = self.state.markets("amazon")
        for marketplace_id in ids:
            if marketplace_id not in MARKETPLACES:
                raise invalid(f"{name}: unknown marketplace {marketplace_id}")
            if all(market.external_id != marketplace_id for market in known):
                raise ApiError(403, "Unauthorized", "Access to requested resource is denied.")
        return [market for market in known if not ids or market.external_id in ids]

    def fingerprint(self, without: Sequence[str]) -> str:
        """What must stay the same while paging."""
        kept = sorted((n, v) for n, v in self.request.query_params.multi_items() if n not in without)
        return hashlib.sha256(repr(kept).encode()).hexdigest()[:16]


def routes_of(
    state: SandboxState, table: Sequence[tuple[str, str, str, float, float, Handler]], status: int = 200
) -> list[Route]:
    """Gated routes from (method, path, operation, requests a second, burst, handler)."""
    return [
        Route(path, _gated(state, operation, rate, burst, handler=handler, status=status), methods=[method])
        for method, path, operation, rate, burst, handler in table
    ]


def _gated(
    state: SandboxState, operation: str, rate: float, burst: float, *, handler: Handler, status: int
) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        fault = state.faults.next(f"amazon.{operation}")
        headers = {"x-amzn-requestid": hashlib.md5(str(request.url).encode()).hexdigest()}  # noqa: S324 an id, no secret
        try:
            _check_token(request, state)
            headers["x-amzn-ratelimit-limit"] = f"{rate * state.pace:.10g}"
            _check_rate(state, operation, rate, burst)
            ask = Ask(request, state, fault, await request.body())
            answer = await run_in_threadpool(handler, ask)
        except ApiError as error:
            return Response(json.dumps(error.body), error.status, headers, "application/json")
        return Response(_encoder.encode(answer), status, headers, "application/json")

    return endpoint


def _check_token(request: Request, state: SandboxState) -> None:
    token = request.headers.get("x-amz-access-token")
    if not token:
        raise ApiError(403, "Unauthorized", "Access to requested resource is denied.")
    if not state.tokens.valid(token, "amazon"):
        raise ApiError(403, "Unauthorized", "The access token you provided has expired.")


def _check_rate(state: SandboxState, operation: str, rate: float, burst: float) -> None:
    allowed, _, _ = state.limiter.take(f"amazon/{operation}", rate, burst)
    if not allowed:
        raise ApiError(429, "QuotaExceeded", "You exceeded your quota for the requested resource.")


def token_route(state: SandboxState) -> Route:
    """`POST /auth/o2/token`: Login with Amazon, the refresh token for an hour's access token."""

    async def endpoint(request: Request) -> Response:
        state.faults.next("amazon.token")
        form = await request.form()
        if form.get("grant_type") != "refresh_token":
            return _refusal(400, "unsupported_grant_type")
        accepted = state.secrets
        if (form.get("client_id"), form.get("client_secret")) != (
            accepted.amazon_client_id,
            accepted.amazon_client_secret,
        ):
            return _refusal(401, "invalid_client")
        if form.get("refresh_token") != accepted.amazon_refresh_token:
            return _refusal(400, "invalid_grant")
        answer = {
            "access_token": state.tokens.issue("amazon", TOKEN_LIFETIME, "Atza|"),
            "token_type": "bearer",
            "expires_in": TOKEN_LIFETIME,
            "refresh_token": accepted.amazon_refresh_token,
        }
        return Response(json.dumps(answer), media_type="application/json")

    return Route("/auth/o2/token", endpoint, methods=["POST"])


def _refusal(status: int, code: str) -> Response:
    body = {"error": code, "error_description": "The request is refused."}
    return Response(json.dumps(body), status, media_type="application/json")


# -- page tokens -------------------------------------------------------------------------------------------


def page_token(**content: Any) -> str:
    """An opaque page token."""
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


def read_token(token: str, name: str) -> dict[str, Any]:
    """What `page_token` wrote, or 400."""
    try:
        content = json.loads(base64.urlsafe_b64decode(token.encode()))
    except ValueError:
        raise invalid(f"{name}: the token is not valid") from None
    if not isinstance(content, dict):
        raise invalid(f"{name}: the token is not valid")
    return content


# -- values ------------------------------------------------------------------------------------------------


def amount(value: Decimal, currency: str) -> dict[str, str]:
    """Money as the API writes it: a decimal string without places in currencies that have none."""
    return {"amount": digits(value, currency), "currencyCode": currency}


def digits(value: Decimal, currency: str) -> str:
    """The number alone; four places only where two would lose something."""
    if currency == "JPY":
        return format(value.quantize(Decimal(1)), "f")
    cents = value.quantize(Decimal("0.01"))
    return format(cents if cents == value else value.quantize(Decimal("0.0001")), "f")


def iso(at: datetime) -> str:
    """ISO 8601 UTC with milliseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
