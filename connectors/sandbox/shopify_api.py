"""Shopify's Admin API of one shop: the token endpoint, GraphQL, and the files bulk operations leave.

Errors, costs and headers are the real ones. Scopes can be taken away by a fault rule: operation
"shopify.scope", kind "missing", field "read_all_orders" (several by commas).
"""

import random
import re
import threading
import uuid
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from connectors.sandbox.faults import Fault
from connectors.sandbox.shopify_bulk import Operation, Operations
from connectors.sandbox.shopify_customers import Customers
from connectors.sandbox.shopify_data import order_number
from connectors.sandbox.shopify_plan import DocumentError, Plan, Step, plan
from connectors.sandbox.shopify_project import project
from connectors.sandbox.shopify_shop import SCOPES, VERSIONS, AccessDeniedError, Shop
from connectors.sandbox.shopify_tokens import TokenDesk
from connectors.sandbox.state import SandboxState

RESTORE_RATE, BUCKET = 100.0, 2000.0  # standard plan
_KNOWN_VERSIONS = re.compile(r"^(20\d\d-(01|04|07|10)|unstable)$")
_BAD_TOKEN = "[API] Invalid API key or access token (unrecognized login or wrong password)"  # noqa: S105 Shopify's words


def routes(state: SandboxState) -> list[BaseRoute]:
    """Routes below `/shopify`."""
    api = _Api(state)
    return [
        Route("/admin/oauth/access_token", api.token, methods=["POST"]),
        Route("/admin/api/{version}/graphql.json", api.graphql, methods=["POST"]),
        Route("/bulk/{number:int}.jsonl", api.bulk_file, methods=["GET"]),
    ]


class _Api:
    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._operations = Operations()
        self._desk = TokenDesk(state)
        self._customers: dict[str, Customers] = {}  # by channel
        self._previous: dict[str, Any] = {}  # root field: its last answer, for the "repeat" fault
        self._lock = threading.Lock()

    async def token(self, request: Request) -> Response:
        """An access token for the app's credentials, or for a refresh token."""
        self._state.faults.next("shopify.token")
        if "json" in request.headers.get("content-type", ""):
            form: Any = await request.json()
        else:
            form = await request.form()
        return self._desk.grant(form, self._scopes())

    async def graphql(self, request: Request) -> Response:
        """One document."""
        body = await request.body()
        return await run_in_threadpool(self._graphql, request, body)

    async def bulk_file(self, request: Request) -> Response:
        """A finished operation's JSONL; its URL needs no token."""
        fault = self._state.faults.next("shopify.bulk_file")
        operation = self._operations.get(f"gid://shopify/BulkOperation/{request.path_params['number']}")
        if operation is None or operation.status != "COMPLETED":
            return Response(
                "<Error><Code>NoSuchKey</Code></Error>", status_code=404, media_type="application/xml"
            )
        if fault is not None and fault.kind == "empty":
            return Response(_half(operation), media_type="application/jsonl")
        return FileResponse(operation.path, media_type="application/jsonl")

    # -- one document ----------------------------------------------------------------------------------

    def _graphql(self, request: Request, body: bytes) -> Response:
        state = self._state
        version = request.path_params["version"]
        headers = {"X-Request-Id": str(uuid.uuid4()), "X-Shopify-Shop-Id": "1"}
        if not _KNOWN_VERSIONS.match(version):
            return JSONResponse({"errors": "Not Found"}, status_code=404, headers=headers)
        # A version that has left support is answered by the oldest supported one, without an error.
        served = max(version, VERSIONS[0]) if version != "unstable" else version
        headers["X-Shopify-API-Version"] = served
        token = request.headers.get("x-shopify-access-token")
        if token != state.secrets.shopify_access_token and not state.tokens.valid(token, "shopify"):
            state.faults.next("shopify.graphql")
            return JSONResponse({"errors": _BAD_TOKEN}, status_code=401, headers=headers)
        self._desk.used(str(token))
        try:
            text, variables, name = _asked(request, body)
            made = plan(text, variables, name)
        except DocumentError as error:
            state.faults.next("shopify.graphql")
            return self._json({"errors": error.errors}, headers)
        fault = state.faults.next(f"shopify.{made.steps[0].name}")
        allowed, available, _ = state.limiter.take("shopify", RESTORE_RATE, BUCKET, made.cost)
        if not allowed:
            state.throttled()
            errors = [
                {
                    "message": "Throttled",
                    "extensions": {
                        "code": "THROTTLED",
                        "documentation": "https://shopify.dev/api/usage/rate-limits",
                    },
                }
            ]
            return self._json(
                {"errors": errors, "extensions": self._cost(made.cost, None, available)}, headers
            )
        answer, actual = self._answer(made, request, fault)
        actual = min(actual, made.cost)
        state.limiter.give_back("shopify", made.cost - actual, BUCKET)
        answer["extensions"] = self._cost(made.cost, actual, min(available + made.cost - actual, BUCKET))
        return self._json(answer, headers)

    def _answer(self, made: Plan, request: Request, fault: Fault | None) -> tuple[dict[str, Any], int]:
        data: dict[str, Any] = {}
        errors: list[dict[str, Any]] = []
        cost = 0
        for step in made.steps:
            try:
                data[step.key], points = self._field(step, request, fault)
                cost += points
            except AccessDeniedError as denied:
                data[step.key] = None
                errors.append(denied.error)
            except DocumentError as refused:
                return {"data": None, "errors": refused.errors}, cost
        answer: dict[str, Any] = {"data": data}
        if errors:
            # A required field that is refused takes its parent along: the whole of `data`.
            answer = {
                "data": None if all(value is None for value in data.values()) else data,
                "errors": errors,
            }
        return answer, cost

    def _field(self, step: Step, request: Request, fault: Fault | None) -> tuple[Any, int]:
        shop = self._shop(fault)
        base = f"{request.url.scheme}://{request.url.netloc}{request.scope['root_path']}"
        match step.name:
            case "bulkOperationRunQuery":
                return project(self._operations.run(step.args["query"], shop, base), step.steps), 10
            case "bulkOperationCancel":
                return project(self._operations.cancel(step.args["id"], base), step.steps), 10
            case "bulkOperation" | "currentBulkOperation":
                found = (
                    self._operations.get(step.args["id"]) if "id" in step.args else self._operations.newest()
                )
                return (None if found is None else project(found.node(base), step.steps)), 1
        value, cost = shop.answer(step)
        if fault is not None and step.is_connection:
            value = self._bent(step, value, fault)
        elif step.is_connection:
            with self._lock:
                self._previous[step.name] = value
        return value, cost

    def _shop(self, fault: Fault | None) -> Shop:
        shop_name = self._state.secrets.shopify_shop
        market = self._state.market("shopify", shop_name) or self._state.markets("shopify")[0]
        with self._lock:
            customers = self._customers.setdefault(market.channel, Customers(self._state.world, market))
        shop = Shop(self._state, market, self._scopes(), customers=customers)
        if fault is not None and fault.kind == "late":
            shop.hide_newer(fault.seconds)
        deleted = self._state.faults.match("shopify.deleted")
        if deleted is not None and deleted.kind == "missing":
            shop.deleted = frozenset(order_number(int(gid)) for gid in (deleted.field or "").split(","))
        return shop

    def _scopes(self) -> set[str]:
        fault = self._state.faults.match("shopify.scope")
        taken = (fault.field or "").split(",") if fault is not None and fault.kind == "missing" else []
        return set(SCOPES) - {scope.strip() for scope in taken}

    def _bent(self, step: Step, value: dict[str, Any], fault: Fault) -> dict[str, Any]:
        """A page with the content fault played on it."""
        key = next((inner.key for inner in step.steps if inner.name == "nodes"), None)
        nodes = value.get(key, []) if key else []
        name = fault.field or "surprise"
        match fault.kind:
            # Of the same search: who begins one has seen no page of it.
            case "repeat" if step.args.get("after"):
                with self._lock:
                    return dict(self._previous.get(step.name) or value)
            case "reorder":
                random.Random(0).shuffle(nodes)  # noqa: S311 the same disorder every time
            case "empty" if key:
                value[key] = []
            case "extra":
                for node in nodes:
                    node[name] = fault.value if fault.value is not None else "new"
            case "missing":
                for node in nodes:
                    node.pop(name, None)
            case "poison" if nodes:
                nodes[len(nodes) // 2][name] = fault.value
        return value

    def _cost(self, requested: int, actual: int | None, available: float) -> dict[str, Any]:
        return {
            "cost": {
                "requestedQueryCost": requested,
                "actualQueryCost": actual,
                "throttleStatus": {
                    "maximumAvailable": BUCKET,
                    "currentlyAvailable": int(available),
                    "restoreRate": RESTORE_RATE * self._state.pace,
                },
            }
        }

    def _json(self, answer: dict[str, Any], headers: dict[str, str]) -> Response:
        return Response(msgspec.json.encode(answer), media_type="application/json", headers=headers)


def _asked(request: Request, body: bytes) -> tuple[str, dict[str, Any], str | None]:
    """Document, variables and operation name of a request. Raises DocumentError."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind == "application/graphql":
        return body.decode(), {}, None
    if kind != "application/json":
        raise DocumentError([{"message": "Content-Type must be application/json or application/graphql"}])
    try:
        asked = msgspec.json.decode(body)
        text = asked["query"]
    except (msgspec.MsgspecError, KeyError, TypeError):
        raise DocumentError([{"message": "Missing query"}]) from None
    return str(text), asked.get("variables") or {}, asked.get("operationName")


def _half(operation: Operation) -> bytes:
    lines = operation.path.read_bytes().splitlines(keepends=True)
    return b"".join(lines[: len(lines) // 2])
