"""Count each refund of Walmart once.

The first version made rows of `core.refunds` from Walmart's orders, without units; since then they come from its
returns (`return-…`), and what the order says is kept at its lines. Rows of the first kind doubled those of the second
as soon as a return was read. They become what the order stated, the ledger takes them back where it has them twice,
and the days that moves are published again.

Revision 0013, revises 0012.
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0013"
down_revision: str | Sequence[str] | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_STEPS = (
    """
    CREATE TEMP TABLE old_refunds ON COMMIT DROP AS
    SELECT r.id, o.id AS order_id, r.order_line_id AS line_id, r.refund_id, r.quantity, r.amount, r.net_amount
    FROM core.refunds r
    JOIN core.channels c ON c.id = r.channel_id AND c.platform = 'walmart'
    LEFT JOIN core.orders o ON o.channel_id = r.channel_id AND o.external_id = r.order_external_id
    WHERE NOT starts_with(r.refund_id, 'return-')
    """,
    """
    UPDATE core.order_items i
    SET stated_refunded_quantity = greatest(i.stated_refunded_quantity, nullif(s.quantity, 0)),
        stated_refunded_amount = greatest(i.stated_refunded_amount, s.amount),
        stated_refunded_net_amount = greatest(i.stated_refunded_net_amount, s.net_amount)
    FROM (
        SELECT order_id, line_id, sum(quantity)::bigint AS quantity, sum(amount) AS amount,
               sum(net_amount) AS net_amount
        FROM old_refunds
        GROUP BY 1, 2
    ) s
    WHERE i.order_id = s.order_id AND i.line_id = s.line_id
    """,
    "DELETE FROM core.refunds WHERE id IN (SELECT id FROM old_refunds)",
    """
    UPDATE core.order_items i
    SET refunded_quantity = greatest(i.stated_refunded_quantity, s.quantity, 0),
        refunded_amount = greatest(i.stated_refunded_amount, s.amount),
        refunded_net_amount = greatest(i.stated_refunded_net_amount, s.net_amount)
    FROM (
        SELECT l.order_id, l.line_id, sum(r.quantity)::bigint AS quantity, sum(r.amount) AS amount,
               sum(r.net_amount) AS net_amount
        FROM (SELECT DISTINCT order_id, line_id FROM old_refunds) l
        JOIN core.orders o ON o.id = l.order_id
        LEFT JOIN core.refunds r
          ON r.channel_id = o.channel_id AND r.order_external_id = o.external_id AND r.order_line_id = l.line_id
        GROUP BY 1, 2
    ) s
    WHERE i.order_id = s.order_id AND i.line_id = s.line_id
    """,
    # What the ledger has of them is taken back where it stands; what the returns do not cover stands there again.
    """
    CREATE TEMP TABLE taken_back ON COMMIT DROP AS
    WITH booked AS (
        SELECT e.*, r.refund_id IS NOT NULL AS is_old
        FROM core.sales_events e
        JOIN (SELECT DISTINCT order_id, line_id FROM old_refunds) l
          ON l.order_id = e.order_id AND l.line_id = e.line_id
        LEFT JOIN (SELECT DISTINCT order_id, line_id, refund_id FROM old_refunds) r
          ON r.order_id = e.order_id AND r.line_id = e.line_id AND r.refund_id = e.reference
        WHERE e.kind = 'refund'
    ),
    old AS (
        SELECT order_id, line_id, channel_id, product_id, reference, order_date, currency,
               min(happened_at) AS happened_at, min(happened_date) AS happened_date,
               sum(refunded_units)::bigint AS units, sum(refunded_amount) AS amount, sum(refunded_net_amount) AS net
        FROM booked
        WHERE is_old
        GROUP BY 1, 2, 3, 4, 5, 6, 7
        HAVING sum(refunded_units) <> 0 OR sum(refunded_amount) <> 0 OR sum(refunded_net_amount) <> 0
    ),
    others AS (
        SELECT order_id, line_id, sum(refunded_amount) AS amount, sum(refunded_net_amount) AS net
        FROM booked
        WHERE NOT is_old
        GROUP BY 1, 2
    ),
    summed AS (
        SELECT order_id, line_id, channel_id, max(product_id) AS product_id, max(order_date) AS order_date,
               max(currency) AS currency, min(happened_at) AS happened_at, min(happened_date) AS happened_date,
               sum(amount) AS amount, sum(net) AS net
        FROM old
        GROUP BY 1, 2, 3
    ),
    kept AS (
        SELECT s.*,
               least(s.amount, greatest(coalesce(i.refunded_amount, 0) - coalesce(o.amount, 0), 0)) AS kept_amount,
               least(s.net, greatest(coalesce(i.refunded_net_amount, 0) - coalesce(o.net, 0), 0)) AS kept_net
        FROM summed s
        JOIN core.order_items i ON i.order_id = s.order_id AND i.line_id = s.line_id
        LEFT JOIN others o ON o.order_id = s.order_id AND o.line_id = s.line_id
    )
    SELECT order_id, line_id, channel_id, product_id, reference, order_date, currency, happened_at, happened_date,
           -units AS units, -amount AS amount, -net AS net
    FROM old
    UNION ALL
    SELECT order_id, line_id, channel_id, product_id, '', order_date, currency, happened_at, happened_date, 0,
           kept_amount, kept_net
    FROM kept
    WHERE kept_amount <> 0 OR kept_net <> 0
    """,
    """
    INSERT INTO core.sales_events (
        order_id, line_id, channel_id, product_id, kind, reference, happened_at, happened_date, order_date, currency,
        units, gross_amount, discount_amount, net_amount, refunded_units, refunded_amount, refunded_net_amount,
        run_id, recorded_at
    )
    SELECT order_id, line_id, channel_id, product_id, 'refund', reference, happened_at, happened_date, order_date,
           currency, 0, 0, 0, 0, units, amount, net, NULL, transaction_timestamp()
    FROM taken_back
    """,
    """
    INSERT INTO core.restatements (
        run_id, channel_id, order_date, currency, kind, events, orders, units_delta, revenue_delta, recorded_at
    )
    SELECT NULL, t.channel_id, t.order_date, t.currency, 'refund', count(*), count(DISTINCT t.order_id), 0, -sum(t.net),
           transaction_timestamp()
    FROM taken_back t
    JOIN ops.published_days p ON p.channel_id = t.channel_id AND p.day = t.order_date
    GROUP BY t.channel_id, t.order_date, t.currency
    HAVING sum(t.net) <> 0
    """,
    """
    INSERT INTO ops.dirty_days (channel_id, day, version, marked_at)
    SELECT d.channel_id, d.day, nextval('ops.dirty_versions'), transaction_timestamp()
    FROM (
        SELECT channel_id, order_date AS day FROM taken_back
        UNION
        SELECT channel_id, happened_date FROM taken_back
    ) d
    ORDER BY d.channel_id, d.day
    ON CONFLICT (channel_id, day) DO UPDATE SET version = EXCLUDED.version, marked_at = EXCLUDED.marked_at
    """,
)


def upgrade() -> None:
    for step in _STEPS:
        op.execute(step)


def downgrade() -> None:
    """Nothing to undo: what was counted twice is not counted twice again, and the older code reads these rows too."""
