"""Amounts as text: out of a MoneyBag, added up, never through a float."""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

from connectors.shopify.shapes import Amount, MoneyBag
from connectors.shopify.sheets import BadValueError


def amount(bag: MoneyBag | None, scalar: Amount | None = None) -> str | None:
    """The shop-currency amount of a bag, else the plain scalar; the buyer's currency only when alone."""
    if bag is not None:
        money = bag.shop_money or bag.presentment_money
        if money is not None:
            return str(money.amount)
    return None if scalar is None else str(scalar)


def currency(bag: MoneyBag | None) -> str | None:
    """The currency of what `amount` gives."""
    money = None if bag is None else bag.shop_money or bag.presentment_money
    return None if money is None else money.currency_code


def number(text: str | None, field: str) -> Decimal:
    """An amount to compute with; null counts as nothing. Raises BadValueError."""
    if text is None:
        return Decimal(0)
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise BadValueError(field, f"{text[:40]!r} is not an amount") from None
    if not value.is_finite():
        raise BadValueError(field, f"{text[:40]!r} is not an amount")
    return value


def total(amounts: Iterable[str | None], field: str) -> str:
    """The sum as text; "0" for nothing."""
    known = [text for text in amounts if text is not None]
    if not known:
        return "0"
    if len(known) == 1:
        return known[0]
    return f"{sum((number(text, field) for text in known), Decimal(0)):f}"
