"""Registered customers, from the GraphQL shapes: counts under a reference, and nothing that says who."""

import polars as pl

from connectors.base import Context
from connectors.shopify import rest, rest_shapes
from connectors.shopify.find import Kind, gid_number, no_children
from connectors.shopify.shapes import Customer
from connectors.shopify.sheets import BadValueError, Sheet
from connectors.shopify.values import country


class CustomerBook:
    """Frame customers of one page."""

    def __init__(self, context: Context) -> None:
        self.notes: dict[str, None] = {}
        self._customers = Sheet("customers", context.home.name)

    def sheets(self) -> tuple[Sheet, ...]:
        return (self._customers,)

    def frames(self) -> dict[str, pl.DataFrame]:
        return {"customers": self._customers.frame()}

    def add(self, customer: Customer) -> None:
        """One customer. Raises BadValueError for a number of orders that is none."""
        spent = customer.amount_spent
        self._customers.rows.append(
            (
                f"shopify:{gid_number(customer.id)}",
                customer.created_at,
                customer.updated_at or customer.created_at,
                _count(customer.number_of_orders),
                None if spent is None else str(spent.amount),
                spent.currency_code if spent else None,
                country(customer.default_address),
            )
        )


def _count(number: str | int | None) -> int | None:
    """GraphQL writes it as text: it is an UnsignedInt64."""
    if number is None:
        return None
    try:
        return int(number)
    except ValueError:
        raise BadValueError("numberOfOrders", f"{str(number)[:40]!r} is not a number") from None


CUSTOMERS: Kind[Customer] = Kind(
    gid="Customer",
    plural=("customers",),
    singular=("customer",),
    shape=Customer,
    attach=no_children,
    from_rest=rest.customer,
    rest_shape=rest_shapes.RestCustomer,
)
