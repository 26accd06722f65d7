"""Bulk operations: a query runs by itself and leaves a JSONL file with one object a line.

Parents of a stretch come first and their children after them, so a child's line stands behind other parents'
lines, as it may at Shopify.
"""

import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from connectors.sandbox.shopify_data import Node, gid, instant
from connectors.sandbox.shopify_plan import DocumentError, Step, plan
from connectors.sandbox.shopify_project import project
from connectors.sandbox.shopify_search import parse_search
from connectors.sandbox.shopify_shop import AccessDeniedError, Shop

AT_ONCE = 5
_CONNECTIONS, _LEVELS = 5, 2
_STRETCH = 500  # root objects written before their children
_SECONDS = 4.0  # an operation takes at least, on Shopify's clock


class Operation:
    """One bulk query, written to a file by a thread of its own."""

    def __init__(self, number: int, query: str, step: Step, shop: Shop, folder: Path) -> None:
        self.number, self.query = number, query
        self.gid = gid("BulkOperation", number)
        self.path = folder / f"bulk-{number}.jsonl"
        self.objects = self.roots = 0
        self.created_at = shop.now
        self.failed: str | None = None
        self.canceled = False
        self._done = threading.Event()
        self._ready_at = time.monotonic() + _SECONDS / shop.state.pace
        self._shop, self._step = shop, step
        threading.Thread(target=self._write, name=f"shopify-bulk-{number}", daemon=True).start()

    @property
    def status(self) -> str:
        """Where it stands: the file may be there sooner than Shopify would say so."""
        if self.canceled:
            return "CANCELED"
        if self.failed:
            return "FAILED"
        if not self._done.is_set() or time.monotonic() < self._ready_at:
            return "RUNNING" if self.objects or self._done.is_set() else "CREATED"
        return "COMPLETED"

    def node(self, base_url: str) -> Node:
        """As GraphQL's BulkOperation."""
        status = self.status
        done = status == "COMPLETED"
        return {
            "__typename": "BulkOperation",
            "id": self.gid,
            "status": status,
            "type": "QUERY",
            "errorCode": "ACCESS_DENIED" if status == "FAILED" else None,
            "createdAt": instant(self.created_at),
            "completedAt": instant(self.created_at) if done else None,
            "objectCount": str(self.objects),
            "rootObjectCount": str(self.roots),
            "fileSize": str(self.path.stat().st_size) if done and self.objects else None,
            "query": self.query,
            "url": f"{base_url}/bulk/{self.number}.jsonl" if done and self.objects else None,
            "partialDataUrl": None,
        }

    def cancel(self) -> None:
        self.canceled = True

    def _write(self) -> None:
        try:
            with self.path.open("wb") as file:
                stretch: list[Node] = []
                for node in _nodes(self._shop, self._step):
                    stretch.append(node)
                    if len(stretch) == _STRETCH:
                        self._put(file, stretch)
                    if self.canceled:
                        return
                self._put(file, stretch)
        except AccessDeniedError as error:
            self.failed = str(error)
        finally:
            self._done.set()

    def _put(self, file: BinaryIO, stretch: list[Node]) -> None:
        steps = self._step.node_steps()
        plain = [step for step in steps if not step.is_connection]
        children = [step for step in steps if step.is_connection]
        lines = [project(node, plain) for node in stretch]
        self.roots += len(lines)
        for step in children:
            inner = step.node_steps()
            for node in stretch:
                value = node.get(step.name) or ()
                for child in value(step.args) if callable(value) else value:
                    lines.append({**project(child, inner), "__parentId": node["id"]})
        file.writelines(msgspec.json.encode(line) + b"\n" for line in lines)
        self.objects += len(lines)
        stretch.clear()


class Operations:
    """All bulk operations of a shop."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sandbox-shopify-")
        self._known: dict[str, Operation] = {}
        self._lock = threading.Lock()

    def run(self, query: str, shop: Shop, base_url: str) -> Node:
        """The payload of bulkOperationRunQuery."""
        try:
            step = _checked(query)
        except DocumentError as error:
            return _refused("INVALID", str(error))
        with self._lock:
            if sum(each.status in {"CREATED", "RUNNING"} for each in self._known.values()) >= AT_ONCE:
                return _refused(
                    "OPERATION_IN_PROGRESS",
                    "A bulk query operation for this app and shop is already in progress.",
                )
            operation = Operation(len(self._known) + 1, query, step, shop, Path(self._folder.name))
            self._known[operation.gid] = operation
        return {"bulkOperation": operation.node(base_url), "userErrors": []}

    def cancel(self, gid: str, base_url: str) -> Node:
        """The payload of bulkOperationCancel."""
        operation = self._known.get(gid)
        if operation is None:
            return {
                "bulkOperation": None,
                "userErrors": [{"field": ["id"], "message": "Bulk operation does not exist"}],
            }
        operation.cancel()
        return {"bulkOperation": operation.node(base_url), "userErrors": []}

    def get(self, gid: str) -> Operation | None:
        return self._known.get(gid)

    def newest(self) -> Operation | None:
        return next(reversed(self._known.values()), None)


def _refused(code: str, message: str) -> Node:
    return {"bulkOperation": None, "userErrors": [{"field": ["query"], "message": message, "code": code}]}


def _checked(query: str) -> Step:
    """The one connection of a bulk query. Raises DocumentError by Shopify's rules for them."""
    roots = plan(query, {}, None, bulk=True).steps
    if len(roots) != 1 or not roots[0].is_connection:
        raise DocumentError([{"message": "Bulk queries must contain exactly one top-level connection."}])
    connections = list(_connections(roots[0], 0, below_list=False))
    if len(connections) > _CONNECTIONS:
        raise DocumentError(
            [{"message": f"Bulk queries cannot contain more than {_CONNECTIONS} connections."}]
        )
    if max(connections) > _LEVELS:
        raise DocumentError(
            [
                {
                    "message": f"Bulk queries cannot contain connections with a nesting depth greater than {_LEVELS}."
                }
            ]
        )
    return roots[0]


def _connections(step: Step, depth: int, *, below_list: bool) -> Iterator[int]:
    if step.is_connection:
        if below_list:
            raise DocumentError(
                [
                    {
                        "message": "Queries that contain a connection field within a list field are not "
                        "currently supported."
                    }
                ]
            )
        yield depth
        for inner in step.node_steps():
            yield from _connections(inner, depth + 1, below_list=False)
        return
    for inner in step.steps:
        yield from _connections(inner, depth, below_list=below_list or step.is_list)


def _nodes(shop: Shop, step: Step) -> Iterator[Node]:
    shop.check_scope(step)
    if step.name != "orders":
        yield from shop.all_nodes(step)[0]
        return
    search = parse_search(step.args.get("query"))
    numbers = shop.order_numbers(search)
    for start in range(0, len(numbers), _STRETCH):
        yield from shop.order_nodes(numbers[start : start + _STRETCH], search)


def operation_nodes(operation: Operation | None, base_url: str) -> Any:
    """An operation as an object, null when there is none."""
    return None if operation is None else operation.node(base_url)
