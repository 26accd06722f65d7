"""A GraphQL document, checked against the schema and made into a plan that is quick to walk.

Costs follow Shopify's published rules (scalar 0, object 1, connection 2 and its nodes, mutation 10, at most
1,000 a query) with one thing only seen, not published: nodes count sublinearly in `first`. Two public
observations (a variants(first: 250) of 25 points, a line query of 23 points for 3 nodes and 43 for 10) fit
`2 ln(first)`; money amounts cost nothing beyond their MoneyBag.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    build_schema,
    get_named_type,
    is_interface_type,
    is_leaf_type,
    is_list_type,
    is_object_type,
    parse,
    validate,
)
from graphql.execution.values import get_argument_values, get_variable_values
from graphql.type import GraphQLNonNull

MAX_COST = 1000
MUTATION_COST = 10
_FREE = frozenset(["MoneyV2", "PageInfo"])
_LIST_SIZE = 1  # lists without a page size count once
LARGEST_PAGE = 250


class DocumentError(Exception):
    """The document is refused before anything is read; `errors` are the answer's."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(errors[0]["message"])
        self.errors = errors


@dataclass
class Step:
    """One field of a selection, arguments worked out."""

    key: str  # the name it has in the answer: its alias, if any
    name: str
    args: Mapping[str, Any]
    type_name: str
    is_connection: bool = False
    is_list: bool = False
    only: str | None = None  # the type it is asked of, below an interface
    steps: list["Step"] = field(default_factory=list)

    @property
    def first(self) -> int:
        """Nodes a connection may give."""
        return int(self.args.get("first") or self.args.get("last") or LARGEST_PAGE)

    def node_steps(self) -> list["Step"]:
        """What a connection selects of each node."""
        found: list[Step] = []
        for step in self.steps:
            if step.name == "nodes":
                found += step.steps
            elif step.name == "edges":
                found += [inner for edge in step.steps if edge.name == "node" for inner in edge.steps]
        return found


@dataclass(frozen=True)
class Plan:
    """A checked operation."""

    is_mutation: bool
    steps: list[Step]
    cost: int


@cache
def schema() -> GraphQLSchema:
    """The part of the Admin API the sandbox plays."""
    return build_schema(files("connectors.sandbox").joinpath("shopify.graphql").read_text(encoding="utf-8"))


@cache
def _document(text: str) -> DocumentNode:
    try:
        document = parse(text)
    except GraphQLError as error:
        raise DocumentError([_told(error)]) from error
    if errors := validate(schema(), document):
        raise DocumentError([_told(error) for error in errors])
    return document


def plan(text: str, variables: Mapping[str, Any], operation_name: str | None, *, bulk: bool = False) -> Plan:
    """The plan of one operation; a bulk query has no page sizes and no limit of cost. Raises DocumentError."""
    document = _document(text)
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    named = [d for d in operations if operation_name is None or (d.name and d.name.value == operation_name)]
    if len(named) != 1:
        raise DocumentError(
            [
                {
                    "message": f"No operation named {operation_name!r}"
                    if operation_name
                    else "An operation name is required"
                }
            ]
        )
    operation = named[0]
    values = get_variable_values(schema(), operation.variable_definitions or (), dict(variables))
    if isinstance(values, list):
        raise DocumentError([_told(error) for error in values])
    root = schema().get_root_type(operation.operation)
    assert root is not None
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    steps = _Compiler(fragments, values).steps(operation.selection_set, root)
    is_mutation = operation.operation is OperationType.MUTATION
    cost = sum(MUTATION_COST if is_mutation else requested(step) for step in steps)
    if cost > MAX_COST and not bulk:
        raise DocumentError(
            [
                {
                    "message": f"Query cost is {cost}, which exceeds the single query max cost limit ({MAX_COST}).",
                    "extensions": {
                        "code": "MAX_COST_EXCEEDED",
                        "cost": cost,
                        "maxCost": MAX_COST,
                        "documentation": "https://shopify.dev/api/usage/rate-limits",
                    },
                }
            ]
        )
    return Plan(is_mutation, steps, cost)


def requested(step: Step) -> int:
    """What a step can cost at most."""
    if step.is_connection:
        return connection_cost(step, step.first)
    if not step.steps or step.type_name in _FREE:
        return 0
    below = 1 + sum(requested(inner) for inner in step.steps)
    if step.name == "nodes" and "ids" in step.args:
        return _sized(len(step.args["ids"])) * below
    return below * _LIST_SIZE


def connection_cost(step: Step, nodes: int) -> int:
    """What a connection with `nodes` nodes costs."""
    return 2 + _sized(nodes) * (1 + sum(requested(inner) for inner in step.node_steps()))


def _sized(nodes: int) -> int:
    return 0 if nodes <= 0 else max(1, math.floor(2 * math.log(nodes)))


def _told(error: GraphQLError) -> dict[str, Any]:
    told: dict[str, Any] = {"message": error.message}
    if error.locations:
        told["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    told["extensions"] = {
        "code": "undefinedField" if "Cannot query field" in error.message else "argumentLiteralsIncompatible"
    }
    return told


class _Compiler:
    """Selection sets to steps: fragments spread, arguments worked out, equal keys merged."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode], values: Any) -> None:
        self._fragments = fragments
        self._values = values

    def steps(self, selection: SelectionSetNode, of: GraphQLNamedType, only: str | None = None) -> list[Step]:
        found: dict[tuple[str, str | None], Step] = {}
        for node in selection.selections:
            if isinstance(node, FieldNode):
                self._put(found, self._step(node, of, only))
            elif isinstance(node, FragmentSpreadNode | InlineFragmentNode):
                if isinstance(node, FragmentSpreadNode):
                    fragment: Any = self._fragments[node.name.value]
                else:
                    fragment = node
                condition = fragment.type_condition
                inner = schema().get_type(condition.name.value) if condition else of
                assert inner is not None
                narrowed = inner.name if is_interface_type(of) and is_object_type(inner) else only
                for step in self.steps(fragment.selection_set, inner, narrowed):
                    self._put(found, step)
        return list(found.values())

    def _put(self, found: dict[tuple[str, str | None], Step], step: Step) -> None:
        known = found.get((step.key, step.only))
        if known is None:
            found[step.key, step.only] = step
        else:
            merged = {(inner.key, inner.only): inner for inner in known.steps}
            for inner in step.steps:
                self._put(merged, inner)
            known.steps = list(merged.values())

    def _step(self, node: FieldNode, of: GraphQLNamedType, only: str | None) -> Step:
        key = node.alias.value if node.alias else node.name.value
        if node.name.value == "__typename":
            return Step(key, "__typename", {}, "String", only=only)
        definition: GraphQLField = of.fields[node.name.value]  # type: ignore[attr-defined]  # fields stand in objects only
        try:
            args = get_argument_values(definition, node, self._values)
        except GraphQLError as error:
            raise DocumentError([_told(error)]) from error
        kind = get_named_type(definition.type)
        outer = definition.type.of_type if isinstance(definition.type, GraphQLNonNull) else definition.type
        step = Step(
            key,
            node.name.value,
            args,
            kind.name,
            is_connection=kind.name.endswith("Connection"),
            is_list=is_list_type(outer),
            only=only,
        )
        if step.is_connection:
            _check_page(step)
        if not is_leaf_type(kind) and node.selection_set is not None:
            step.steps = self.steps(node.selection_set, kind)
        return step


def _check_page(step: Step) -> None:
    """Sizes outside 1 to 250 are refused. In a bulk query there are none at all."""
    for name in ("first", "last"):
        size = step.args.get(name)
        if size is not None and not 0 < size <= LARGEST_PAGE:
            raise DocumentError(
                [
                    {
                        "message": f"{name} must be between 1 and {LARGEST_PAGE}",
                        "path": [step.key],
                        "extensions": {"code": "BAD_REQUEST"},
                    }
                ]
            )
