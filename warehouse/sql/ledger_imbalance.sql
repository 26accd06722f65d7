-- Lines whose events do not add up to what they count for. Refunds are compared where nothing was cancelled;
-- beside a cancellation they stop at what is left. {of}: of which orders, all without it.
WITH lines AS (
    {line_sales}
),
events AS (
    SELECT order_id, line_id, sum(units) AS units, sum(net_amount) AS net, sum(gross_amount) AS gross,
           sum(refunded_units) AS refunded_units, sum(refunded_net_amount) AS refunded_net
    FROM core.sales_events
    {of}
    GROUP BY 1, 2
)
SELECT coalesce(l.order_id, e.order_id) AS order_id, coalesce(l.line_id, e.line_id) AS line_id
FROM lines l
FULL JOIN events e ON e.order_id = l.order_id AND e.line_id = l.line_id
WHERE coalesce(l.units - l.cancelled_units, 0) <> coalesce(e.units, 0)
   OR coalesce(l.net - l.cancelled_net, 0) <> coalesce(e.net, 0)
   OR coalesce(l.gross - l.cancelled_net - l.cancelled_discount, 0) <> coalesce(e.gross, 0)
   OR (coalesce(l.cancelled_units, 0) = 0
       AND (coalesce(l.refunded_units, 0) <> coalesce(e.refunded_units, 0)
            OR coalesce(l.refunded_net, 0) <> coalesce(e.refunded_net, 0)))
LIMIT 100
