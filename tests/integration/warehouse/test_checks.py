"""What must hold in core after a load: the days that changed are looked at, and everything when asked."""

from sqlalchemy import text

from tests.warehouse_factories import DAY, T0, line, order
from warehouse import checks

PAGE = {
    "orders": [order("A"), order("B", at=T0 + DAY)],
    "order_items": [line("A", quantity=2, refunded_quantity=2, cancelled_quantity=1), line("B")],
}


def found(engine, **where):
    return {(result.name, result.severity) for result in checks.after_load(engine, **where) if not result.ok}


def change(engine, statement):
    with engine.begin() as connection:
        connection.execute(text(statement))


def test_a_load_is_right_and_what_is_odd_is_a_warning(loader):
    loader.load(PAGE)
    odd = {("units refunded were sold", "warn"), ("products are in a catalogue", "warn")}
    assert found(loader.engine, changed_days=True) == odd
    assert found(loader.engine) == odd


def test_what_does_not_add_up_is_found_on_days_that_changed_and_elsewhere_when_all_is_looked_at(loader):
    loader.load(PAGE)
    engine, usual = loader.engine, found(loader.engine)
    change(engine, "DELETE FROM core.sales_events WHERE order_id = (SELECT min(id) FROM core.orders)")
    change(
        engine,
        "UPDATE core.sales_events SET order_id = -order_id WHERE order_id = (SELECT max(id) FROM core.orders)",
    )
    wrong = {("ledger adds up to the lines", "fail"), ("ledger events belong to an order", "fail")}
    assert found(engine, changed_days=True) - usual == wrong
    balance = checks.ledger_balances(engine, changed_days=True)
    assert balance.detail.count("order ") == 2, balance.detail

    change(engine, "DELETE FROM ops.dirty_days")  # published
    assert found(engine, changed_days=True) == {("products are in a catalogue", "warn")}
    change(engine, "DELETE FROM core.orders WHERE external_id = 'A'")
    assert found(engine) >= wrong | {("order lines belong to an order", "fail")}
