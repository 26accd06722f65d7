"""What every Walmart answer has in common: the gate (headers, token, rate), errors, JSON or XML by Accept."""

import base64
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connectors.sandbox.faults import Fault
from connectors.sandbox.state import SandboxState

# Epoch milliseconds in JSON, ISO 8601 in XML.
_INSTANTS = frozenset(
    [
        "orderDate",
        "statusDate",
        "estimatedShipDate",
        "estimatedDeliveryDate",
        "shipDateTime",
        "pickUpDateTime",
    ]
)
_NAMESPACE = "http://walmart.com/mp/v3/orders"
TOKEN_LIFETIME = 900

Handler = Callable[["Ask"], Response]


class ApiError(Exception):
    """An error answer of the API."""

    def __init__(self, status: int, code: str, description: str, field: str = "data") -> None:
        super().__init__(description)
        self.status = status
        self.body = {
            "errors": [
                {
                    "code": code,
                    "field": field,
                    "description": description,
                    "info": description,
                    "severity": "ERROR",
                    "category": "REQUEST",
                    "causes": [],
                    "errorIdentifiers": {},
                }
            ]
        }


class Ask:
    """One request that passed the gate: its parameters, the content fault it meets, and how to answer it."""

    def __init__(
        self, request: Request, state: SandboxState, fault: Fault | None, headers: dict[str, str]
    ) -> None:
        self.request, self.state, self.fault = request, state, fault
        self._headers = headers
        self.now = state.now()

    def param(self, name: str) -> str | None:
        """A query parameter; None when absent or empty."""
        return self.request.query_params.get(name) or None

    def whole(self, name: str, default: int, most: int, least: int = 1) -> int:
        """A number within its limits, or 400."""
        given = self.param(name)
        if given is None:
            return default
        if not given.isdigit() or not least <= int(given) <= most:
            raise ApiError(
                400, "INVALID_REQUEST_PARAM.GMP_GATEWAY_API", f"{name} must be {least} to {most}", name
            )
        return int(given)

    def instant(self, name: str) -> datetime | None:
        """A date or an ISO 8601 timestamp in UTC, or 400."""
        given = self.param(name)
        if given is None:
            return None
        try:
            at = datetime.fromisoformat(given)
        except ValueError:
            raise ApiError(
                400, "INVALID_REQUEST_PARAM.GMP_GATEWAY_API", f"{name} is not ISO 8601", name
            ) from None
        return at if at.tzinfo else at.replace(tzinfo=UTC)

    def answer(self, payload: Any, root: str, status: int = 200) -> Response:
        return _render(self.request, payload, root, status, self._headers)


def routes_of(state: SandboxState, table: list[tuple[str, str, float, Handler]]) -> list[Route]:
    """Gated GET routes from (path, operation, requests a minute, handler)."""
    return [Route(path, _gated(state, operation, rate, handler)) for path, operation, rate, handler in table]


def _gated(
    state: SandboxState, operation: str, per_minute: float, handler: Handler
) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        fault = state.faults.next(operation)
        headers: dict[str, str] = {}
        try:
            _check_identity(request)
            _check_token(request, state)
            allowed, left, wait = state.limiter.take(f"walmart/{operation}", per_minute / 60, per_minute)
            headers = {
                "x-current-token-count": str(int(left)),
                "X-Next-Replenishment-Time": str(int((time.time() + wait) * 1000)),
            }
            _check_rate(allowed)
            return handler(Ask(request, state, fault, headers))
        except ApiError as error:
            return _render(request, error.body, "errors", error.status, headers)

    return endpoint


def token_route(state: SandboxState) -> Route:
    """`POST /v3/token`: client credentials for fifteen minutes."""

    async def endpoint(request: Request) -> Response:
        state.faults.next("walmart.token")
        try:
            _check_identity(request)
            _check_client(request, state)
            _check_grant((await request.form()).get("grant_type"))
            _check_rate(state.limiter.take("walmart/walmart.token", 0.5, 30)[0])
        except ApiError as error:
            return _render(request, error.body, "errors", error.status, {})
        token = state.tokens.issue("walmart", TOKEN_LIFETIME)
        if _wants_json(request):
            payload = {"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_LIFETIME}
        else:
            payload = {"accessToken": token, "tokenType": "Bearer", "expiresIn": TOKEN_LIFETIME}
        return _render(request, payload, "OAuthTokenDTO", 200, {})

    return Route("/v3/token", endpoint, methods=["POST"])


def _check_identity(request: Request) -> None:
    for name in ("WM_QOS.CORRELATION_ID", "WM_SVC.NAME"):
        if not request.headers.get(name):
            raise ApiError(400, "INVALID_REQUEST_HEADER.GMP_GATEWAY_API", f"{name} set null or invalid", name)
    try:
        uuid.UUID(request.headers["WM_QOS.CORRELATION_ID"])
    except ValueError:
        raise ApiError(
            400,
            "INVALID_REQUEST_HEADER.GMP_GATEWAY_API",
            "correlation id is no GUID",
            "WM_QOS.CORRELATION_ID",
        ) from None


def _check_token(request: Request, state: SandboxState) -> None:
    if not state.tokens.valid(request.headers.get("WM_SEC.ACCESS_TOKEN"), "walmart"):
        raise ApiError(401, "UNAUTHORIZED.GMP_GATEWAY_API", "Unauthorized", "WM_SEC.ACCESS_TOKEN")


def _check_client(request: Request, state: SandboxState) -> None:
    if not _knows(request.headers.get("Authorization", ""), state):
        raise ApiError(401, "UNAUTHORIZED.GMP_GATEWAY_API", "Unauthorized", "Authorization")


def _check_grant(grant: object) -> None:
    if grant != "client_credentials":
        raise ApiError(
            400, "INVALID_REQUEST_PARAM.GMP_GATEWAY_API", "grant_type is not supported", "grant_type"
        )


def _check_rate(allowed: bool) -> None:
    if not allowed:
        raise ApiError(429, "REQUEST_THRESHOLD_VIOLATED.GMP_GATEWAY_API", "Request threshold violated")


def _knows(authorization: str, state: SandboxState) -> bool:
    scheme, _, encoded = authorization.partition(" ")
    try:
        pair = base64.b64decode(encoded, validate=True).decode()
    except ValueError:
        return False
    return (
        scheme == "Basic"
        and pair == f"{state.secrets.walmart_client_id}:{state.secrets.walmart_client_secret}"
    )


def _wants_json(request: Request) -> bool:
    return "json" in request.headers.get("accept", "")


def _render(request: Request, payload: Any, root: str, status: int, headers: dict[str, str]) -> Response:
    if _wants_json(request):
        return Response(msgspec.json.encode(payload), status, headers, "application/json")
    if isinstance(payload, dict) and set(payload) == {root}:
        payload = payload[root]
    body = f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><ns3:{root} xmlns:ns3="{_NAMESPACE}">'
    body += _xml(payload) + f"</ns3:{root}>"
    return Response(body.encode(), status, headers, "application/xml")


def _xml(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(_tags(name, inner) for name, inner in value.items() if inner is not None)
    if isinstance(value, list):
        return "".join(
            _tags("error" if isinstance(inner, dict) and "severity" in inner else "item", inner)
            for inner in value
        )
    return escape("true" if value is True else "false" if value is False else str(value))


def _tags(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(_tags(name, inner) for inner in value)
    if name in _INSTANTS and isinstance(value, int):
        value = (
            datetime.fromtimestamp(value / 1000, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z")
        )
    return f"<ns3:{name}>{_xml(value)}</ns3:{name}>"


def ms(at: datetime) -> int:
    """Epoch milliseconds."""
    return int(at.timestamp() * 1000)


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
