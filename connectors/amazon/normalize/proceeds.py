"""What the `proceeds` of an order or a line add up to, in ten-thousandths. Source: model orders_2026-01-01.

`ITEM` is quantity x unit price. The sign of `DISCOUNT` is nowhere stated: its magnitude counts. Kinds nobody knows yet
are part of what the buyer paid and reported once.
"""

from connectors.amazon.normalize.orders_2026_shapes import Money, Part
from connectors.amazon.normalize.values import Notes, magnitude, money, plus

CENT = 100
_KNOWN_PARTS = {"ITEM", "SHIPPING", "GIFT_WRAP", "COD_FEE", "TAX", "DISCOUNT", "DELIVERY_TIP", "OTHER"}
# Parts of a line's TAX or DISCOUNT that do not belong to the goods themselves.
_NOT_GOODS = {"SHIPPING", "GIFT_WRAP", "COD_FEE", "OTHER"}


class Parts:
    """The breakdown of one `proceeds`, by kind, in ten-thousandths; None for kinds that are absent.

    `field` is where in the order the breakdown stands, for the refusal of what cannot be read.
    """

    __slots__ = ("_goods_discount", "_goods_tax", "discount", "item", "other", "shipping", "tax", "tip")

    def __init__(self, parts: list[Part] | None, field: str, notes: Notes) -> None:
        self.item = self.shipping = self.tax = self.discount = self.tip = self.other = None
        self._goods_tax = self._goods_discount = 0
        amount_field = f"{field}.subtotal.amount"
        for part in parts or ():
            amount = amount_of(part.subtotal, amount_field)
            match part.type:
                case "ITEM":
                    self.item = plus(self.item, amount)
                case "SHIPPING":
                    self.shipping = plus(self.shipping, amount)
                case "TAX":
                    self.tax = plus(self.tax, amount)
                    self._goods_tax += (amount or 0) - _elsewhere(part, field)
                case "DISCOUNT":
                    self.discount = plus(self.discount, magnitude(amount))
                    self._goods_discount += abs(amount or 0) - abs(_elsewhere(part, field))
                case "DELIVERY_TIP":
                    self.tip = plus(self.tip, amount)
                case _:
                    self.other = plus(self.other, amount)
                    if part.type not in _KNOWN_PARTS:
                        notes.add(f"unknown value {str(part.type)[:40]} in orders.proceeds.breakdowns.type")

    def net(self, tax_inside: bool) -> int | None:
        """Revenue of the goods: after discounts, before tax and shipping."""
        if self.item is None:
            return None
        return self.item - self._goods_discount - (self._goods_tax if tax_inside else 0)

    def total(self, tax_inside: bool) -> int | None:
        """What the buyer pays for the line; None when its price is not told."""
        if self.item is None:
            return None
        without_tax = self.item + (self.shipping or 0) + (self.other or 0) - (self.discount or 0)
        return without_tax + (0 if tax_inside else self.tax or 0)

    def tax_is_inside(self, stated: int | None, *, default: bool) -> bool:
        """Whether prices contain the tax: the stated total tells, where adding tax makes a difference."""
        if self.item is None or stated is None or not self.tax or abs(self.tax) <= 2 * CENT:
            return default
        on_top, inside = self.total(False), self.total(True)
        if on_top is not None and abs(on_top - stated) <= CENT:
            return False
        if inside is not None and abs(inside - stated) <= CENT:
            return True
        return default


def _elsewhere(part: Part, field: str) -> int:
    """The share of a TAX or DISCOUNT that belongs to shipping, wrapping and the like."""
    found = 0
    for detail in part.detailedBreakdowns or ():
        if detail.subtype in _NOT_GOODS:
            found += amount_of(detail.value, f"{field}.detailedBreakdowns.value.amount") or 0
    return found


def amount_of(value: Money | None, field: str) -> int | None:
    """Ten-thousandths of an amount; None when absent. Raises BadValueError that names `field`."""
    return None if value is None else money(value.amount, field)
