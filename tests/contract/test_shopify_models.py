"""Our queries, the sandbox's schema and its answers against the official Admin API schema."""

from datetime import timedelta
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    extend_schema,
    graphql_sync,
    parse,
    validate,
)

from connectors.base import Window
from connectors.sandbox.shopify_orders import order_node
from connectors.sandbox.shopify_plan import plan, schema
from connectors.sandbox.shopify_shop import SCOPES, Shop
from connectors.sandbox.state import SandboxState
from connectors.shopify import queries
from tests.reference import reference
from tests.sandbox_factories import small_world
from tests.shopify_factories import CHANNEL, NOW

DOCUMENTS = {
    name: text
    for name, text in queries.__dict__.items()
    if name.isupper() and not name.startswith("_") and isinstance(text, str)
}
BULK = {
    "bulk_orders": queries.bulk_orders(Window(NOW - timedelta(days=1), NOW)),
    "bulk_products": queries.bulk_products(Window(None, NOW)),
    "bulk_inventory": queries.bulk_inventory(),
    "order_counts": queries.order_counts(2),
}


# Of shopify.dev's pages of 2026-07 (shopifyqlQuery, ShopifyqlQueryResponse, ShopifyqlTableData, …); the schema file
# leaves them out.
_SHOPIFYQL = """
extend type QueryRoot { shopifyqlQuery(query: String!): ShopifyqlQueryResponse }
type ShopifyqlQueryResponse { parseErrors: [String!]! tableData: ShopifyqlTableData }
type ShopifyqlTableData { columns: [ShopifyqlTableDataColumn!]! rows: JSON! }
type ShopifyqlTableDataColumn { displayName: String! name: String! }
"""


@pytest.fixture(scope="module")
def official() -> GraphQLSchema:
    path = reference("marketplace-apis/shopify/admin-2026-07.trimmed.graphql")
    trimmed = path.read_text(encoding="utf-8")
    return extend_schema(
        build_schema(trimmed), parse(_SHOPIFYQL + ("" if "scalar JSON" in trimmed else "scalar JSON"))
    )


@pytest.mark.parametrize("name", [*DOCUMENTS, *BULK])
def test_every_query_is_valid_for_the_real_api(official: GraphQLSchema, name: str):
    assert validate(official, parse({**DOCUMENTS, **BULK}[name])) == []


@pytest.mark.parametrize("name", [*DOCUMENTS, *BULK])
def test_every_query_is_valid_for_the_sandbox(name: str):
    assert validate(schema(), parse({**DOCUMENTS, **BULK}[name])) == []


def test_the_sandboxs_schema_is_a_part_of_the_official_one(official: GraphQLSchema):
    for name, kind in schema().type_map.items():
        if name.startswith("__"):
            continue
        twin = official.type_map[name]
        if isinstance(kind, GraphQLObjectType):
            assert isinstance(twin, GraphQLObjectType)
            for field, definition in kind.fields.items():
                assert str(definition.type) == str(twin.fields[field].type), f"{name}.{field}"
                for argument, given in definition.args.items():
                    assert str(given.type) == str(twin.fields[field].args[argument].type)
        if isinstance(kind, GraphQLEnumType):
            assert set(kind.values) == set(official.type_map[name].values)  # type: ignore[attr-defined]  # an enum by its name


class Answers:
    """An answer of the sandbox as the root value of graphql-core, which then checks types and nulls."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return lambda _info, **_args: self._data[name]


@pytest.mark.parametrize(
    "name", ["ORDERS", "PRODUCTS", "INVENTORY", "CARTS", "CUSTOMERS", "RETURNS", "PROBE"]
)
def test_answers_of_the_sandbox_hold_against_the_official_schema(official: GraphQLSchema, name: str):
    state = SandboxState(small_world())
    state.clock.freeze(NOW)
    market = state.market("shopify", "wharf-demo")
    assert market is not None
    shop = Shop(state, market, SCOPES)
    variables = {"q": queries.updated_within(Window(NOW - timedelta(days=40), NOW)), "first": 100}
    made = plan(DOCUMENTS[name], variables, None)

    data = {step.key: shop.answer(step)[0] for step in made.steps}
    checked = graphql_sync(official, DOCUMENTS[name], root_value=Answers(data), variable_values=variables)

    assert checked.errors is None
    assert checked.data == data


def test_every_field_of_an_order_is_answered():
    market = small_world().markets[2]
    numbers = small_world().orders_between(CHANNEL, NOW)
    (order,) = small_world().orders(numbers[:1], NOW)

    kind = schema().type_map["Order"]

    assert isinstance(kind, GraphQLObjectType)
    assert set(kind.fields) <= set(order_node(order, market))
