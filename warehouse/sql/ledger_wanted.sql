-- What lines should have in the ledger, part by part. {which}: of which orders.
WITH lines AS MATERIALIZED (
    {line_sales}
    {which}
),
-- Refunds in the order they happened: the dated ones, then what the order states beyond them.
dated AS (
    SELECT l.order_id, l.line_id, r.refund_id AS reference,
           coalesce(r.refunded_at, r.source_updated_at, l.source_updated_at) AS happened_at,
           r.quantity AS units, coalesce(r.amount, 0) AS amount, coalesce(r.net_amount, 0) AS net
    FROM lines l
    JOIN core.refunds r
      ON r.channel_id = l.channel_id AND r.order_external_id = l.external_id AND r.order_line_id = l.line_id
    WHERE NOT l.is_replacement
),
dated_sum AS (
    SELECT order_id, line_id, sum(units) AS units, sum(amount) AS amount, sum(net) AS net
    FROM dated GROUP BY 1, 2
),
refunds AS (
    SELECT order_id, line_id, reference, happened_at, units, amount, net FROM dated
    UNION ALL
    SELECT l.order_id, l.line_id, '', l.source_updated_at, greatest(l.refunded_units - coalesce(d.units, 0), 0),
           greatest(l.refunded_amount - coalesce(d.amount, 0), 0),
           greatest(l.refunded_net - coalesce(d.net, 0), 0)
    FROM lines l
    LEFT JOIN dated_sum d ON d.order_id = l.order_id AND d.line_id = l.line_id
    WHERE l.refunded_units > coalesce(d.units, 0) OR l.refunded_amount > coalesce(d.amount, 0)
       OR l.refunded_net > coalesce(d.net, 0)
),
running AS (
    SELECT r.*, sum(r.units) OVER before AS units_before, sum(r.amount) OVER before AS amount_before,
           sum(r.net) OVER before AS net_before
    FROM refunds r
    WINDOW before AS (
        PARTITION BY r.order_id, r.line_id ORDER BY r.reference = '', r.happened_at, r.reference
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
),
capped AS (
    SELECT r.order_id, r.line_id, r.reference, r.happened_at,
           CASE WHEN NOT l.units > 0 THEN 0 WHEN l.cancelled_units = 0 THEN r.units
                ELSE greatest(least(r.units, l.units - l.cancelled_units - coalesce(r.units_before, 0)), 0)
           END AS units,
           CASE WHEN NOT l.units > 0 OR l.cancelled_units = l.units THEN 0 ELSE r.amount END AS amount,
           CASE WHEN NOT l.units > 0 THEN 0 WHEN l.cancelled_units = 0 THEN r.net
                ELSE greatest(least(r.net, l.net - l.cancelled_net - coalesce(r.net_before, 0)), 0)
           END AS net
    FROM running r
    JOIN lines l ON l.order_id = r.order_id AND l.line_id = r.line_id
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
    SELECT l.order_id, l.line_id, 'refund', c.reference, coalesce(l.product_id, 0), l.channel_id, l.order_date,
           l.currency, greatest(c.happened_at, l.ordered_at), l.source_updated_at, 0, 0, 0, 0,
           c.units::bigint, c.amount, c.net
    FROM capped c
    JOIN lines l ON l.order_id = c.order_id AND l.line_id = c.line_id
)
