-- What lines should have in the ledger, part by part. {which}: of which orders.
WITH lines AS MATERIALIZED (
    {line_sales}
    {which}
),
-- Refunds in the order they happened: the dated ones, then what the order states beyond them. Each keeps what it is a
-- refund of, so that no line has to be looked up again.
dated AS (
    SELECT l.*, r.refund_id AS reference,
           coalesce(r.refunded_at, r.source_updated_at, l.source_updated_at) AS happened_at,
           r.quantity AS given_units, coalesce(r.amount, 0) AS given_amount, coalesce(r.net_amount, 0) AS given_net
    FROM lines l
    JOIN core.refunds r
      ON r.channel_id = l.channel_id AND r.order_external_id = l.external_id AND r.order_line_id = l.line_id
    WHERE NOT l.is_replacement
),
dated_sum AS (
    SELECT order_id, line_id, sum(given_units) AS units, sum(given_amount) AS amount, sum(given_net) AS net
    FROM dated GROUP BY 1, 2
),
refunds AS (
    SELECT * FROM dated
    UNION ALL
    SELECT l.*, '', l.source_updated_at, greatest(l.refunded_units - coalesce(d.units, 0), 0),
           greatest(l.refunded_amount - coalesce(d.amount, 0), 0),
           greatest(l.refunded_net - coalesce(d.net, 0), 0)
    FROM lines l
    LEFT JOIN dated_sum d ON d.order_id = l.order_id AND d.line_id = l.line_id
    WHERE l.refunded_units > coalesce(d.units, 0) OR l.refunded_amount > coalesce(d.amount, 0)
       OR l.refunded_net > coalesce(d.net, 0)
),
running AS (
    SELECT r.*, sum(r.given_units) OVER before AS units_before, sum(r.given_net) OVER before AS net_before
    FROM refunds r
    WINDOW before AS (
        PARTITION BY r.order_id, r.line_id ORDER BY r.reference = '', r.happened_at, r.reference
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),
capped AS (
    SELECT r.*,
           CASE WHEN NOT r.units > 0 THEN 0 WHEN r.cancelled_units = 0 THEN r.given_units
                ELSE greatest(least(r.given_units, r.units - r.cancelled_units - coalesce(r.units_before, 0)), 0)
           END AS back_units,
           CASE WHEN NOT r.units > 0 OR r.cancelled_units = r.units THEN 0 ELSE r.given_amount END AS back_amount,
           CASE WHEN NOT r.units > 0 THEN 0 WHEN r.cancelled_units = 0 THEN r.given_net
                ELSE greatest(least(r.given_net, r.net - r.cancelled_net - coalesce(r.net_before, 0)), 0)
           END AS back_net
    FROM running r
),
wanted AS (
    SELECT order_id, line_id, 'sale' AS part, '' AS reference, coalesce(product_id, 0) AS product_id,
           channel_id, order_date, currency, ordered_at AS happened_at, source_updated_at AS edited_at,
           units, gross, discount, net,
           0::bigint AS refunded_units, 0::numeric AS refunded_amount, 0::numeric AS refunded_net
    FROM lines
    WHERE NOT is_replacement
    UNION ALL
    -- Units that left the stock for nothing: no sale, and no demand.
    SELECT order_id, line_id, 'replacement', '', coalesce(product_id, 0), channel_id, order_date, currency, ordered_at,
           source_updated_at, units - cancelled_units, 0, 0, 0, 0, 0, 0
    FROM lines
    WHERE is_replacement
    UNION ALL
    SELECT order_id, line_id, 'cancellation', '', coalesce(product_id, 0), channel_id, order_date, currency,
           greatest(cancelled_at, ordered_at), source_updated_at, -cancelled_units,
           -(cancelled_net + cancelled_discount), -cancelled_discount, -cancelled_net, 0, 0, 0
    FROM lines
    WHERE cancelled_units > 0 AND NOT is_replacement
    UNION ALL
    SELECT order_id, line_id, 'refund', reference, coalesce(product_id, 0), channel_id, order_date, currency,
           greatest(happened_at, ordered_at), source_updated_at, 0, 0, 0, 0, back_units::bigint, back_amount, back_net
    FROM capped
)
