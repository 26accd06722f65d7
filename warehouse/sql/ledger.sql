-- The events that bring the ledger of the touched orders to the lines' state: the difference between what
-- each line counts for now and what its events add up to. Nothing different, no event.
CREATE TEMP TABLE t_events ON COMMIT DROP AS
WITH lines AS MATERIALIZED (
    {line_sales}
    WHERE o.id IN (SELECT order_id FROM t_touched)
),
-- Refunds in the order they happened: the dated ones, then what the order states beyond them.
dated AS (
    SELECT l.order_id, l.line_id, r.refund_id AS reference,
           coalesce(r.refunded_at, r.source_updated_at, l.source_updated_at) AS happened_at,
           r.quantity AS units, coalesce(r.amount, 0) AS amount, coalesce(r.net_amount, 0) AS net
    FROM lines l
    JOIN core.refunds r
      ON r.channel_id = l.channel_id AND r.order_external_id = l.external_id AND r.line_id = l.line_id
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
    UNION ALL
    SELECT order_id, line_id, 'cancellation', '', coalesce(product_id, 0), channel_id, order_date, currency,
           greatest(cancelled_at, ordered_at), source_updated_at, -cancelled_units,
           -(cancelled_net + cancelled_discount), -cancelled_discount, -cancelled_net, 0, 0, 0
    FROM lines
    WHERE cancelled_units > 0
    UNION ALL
    SELECT l.order_id, l.line_id, 'refund', c.reference, coalesce(l.product_id, 0), l.channel_id, l.order_date,
           l.currency, greatest(c.happened_at, l.ordered_at), l.source_updated_at, 0, 0, 0, 0,
           c.units::bigint, c.amount, c.net
    FROM capped c
    JOIN lines l ON l.order_id = c.order_id AND l.line_id = c.line_id
),
recorded AS (
    SELECT e.order_id, e.line_id, CASE e.kind WHEN 'edit' THEN 'sale' ELSE e.kind END AS part, e.reference,
           coalesce(e.product_id, 0) AS product_id, e.channel_id, e.order_date, e.currency,
           min(e.happened_at) AS first_at, sum(e.units)::bigint AS units, sum(e.gross_amount) AS gross,
           sum(e.discount_amount) AS discount, sum(e.net_amount) AS net,
           sum(e.refunded_units)::bigint AS refunded_units, sum(e.refunded_amount) AS refunded_amount,
           sum(e.refunded_net_amount) AS refunded_net
    FROM core.sales_events e
    WHERE e.order_id IN (SELECT order_id FROM t_touched)
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
),
-- A line whose day, product or currency changed leaves events under the old one: they are taken back there.
alive AS (SELECT order_id, line_id, max(source_updated_at) AS edited_at FROM lines GROUP BY 1, 2),
difference AS (
    SELECT coalesce(w.order_id, r.order_id) AS order_id, coalesce(w.line_id, r.line_id) AS line_id,
           coalesce(w.channel_id, r.channel_id) AS channel_id,
           nullif(coalesce(w.product_id, r.product_id), 0) AS product_id,
           coalesce(w.part, r.part) AS part, coalesce(w.reference, r.reference) AS reference,
           coalesce(w.order_date, r.order_date) AS order_date, coalesce(w.currency, r.currency) AS currency,
           w.happened_at, w.edited_at, r.first_at, r.order_id IS NOT NULL AS is_recorded,
           w.order_id IS NOT NULL AS is_wanted,
           coalesce(w.units, 0) - coalesce(r.units, 0) AS units,
           coalesce(w.gross, 0) - coalesce(r.gross, 0) AS gross,
           coalesce(w.discount, 0) - coalesce(r.discount, 0) AS discount,
           coalesce(w.net, 0) - coalesce(r.net, 0) AS net,
           coalesce(w.refunded_units, 0) - coalesce(r.refunded_units, 0) AS refunded_units,
           coalesce(w.refunded_amount, 0) - coalesce(r.refunded_amount, 0) AS refunded_amount,
           coalesce(w.refunded_net, 0) - coalesce(r.refunded_net, 0) AS refunded_net
    FROM wanted w
    FULL JOIN recorded r
      ON r.order_id = w.order_id AND r.line_id = w.line_id AND r.part = w.part AND r.reference = w.reference
     AND r.product_id = w.product_id AND r.order_date = w.order_date AND r.currency = w.currency
),
dated_difference AS (
    SELECT d.*, o.source_updated_at, c.timezone,
           CASE
               -- never recorded: when it happened
               WHEN NOT d.is_recorded THEN d.happened_at
               -- recorded and still true in part: an edit of the sale is booked when it was made, a corrected
               -- refund or cancellation where it stands
               WHEN d.is_wanted AND d.part = 'sale' THEN greatest(d.edited_at, d.happened_at)
               WHEN d.is_wanted THEN d.first_at
               -- the line is gone from its order: taken out now
               WHEN a.order_id IS NULL AND d.part = 'sale' THEN greatest(o.source_updated_at, d.first_at)
               -- moved to another day, product or reference: taken back where it stood
               ELSE d.first_at
           END AS booked_at
    FROM difference d
    JOIN core.orders o ON o.id = d.order_id
    JOIN core.channels c ON c.id = d.channel_id
    LEFT JOIN alive a ON a.order_id = d.order_id AND a.line_id = d.line_id
    WHERE d.units <> 0 OR d.gross <> 0 OR d.discount <> 0 OR d.net <> 0 OR d.refunded_units <> 0
       OR d.refunded_amount <> 0 OR d.refunded_net <> 0
)
SELECT order_id, line_id, channel_id, product_id,
       CASE WHEN part = 'sale' AND (is_recorded OR NOT is_wanted) THEN 'edit' ELSE part END AS kind,
       reference, booked_at AS happened_at, (booked_at AT TIME ZONE timezone)::date AS happened_date, order_date,
       currency, units, gross, discount, net, refunded_units, refunded_amount, refunded_net
FROM dated_difference
