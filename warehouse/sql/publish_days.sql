-- Sales by day of one month from the ledger. {day}: order_date or happened_date.
-- num_orders counts an order once for each product it has units of; booked as it happened, it counts +1 on the
-- day it came to have them and -1 on the day it lost the last one, so both tables add up to the same.
WITH month AS (
    SELECT e.* FROM core.sales_events e
    WHERE e.{day} >= CAST(:first AS date) AND e.{day} < CAST(:after AS date)
),
measures AS (
    SELECT {day} AS date, channel_id, coalesce(product_id, 0) AS product_id, currency,
           sum(net_amount) - sum(refunded_net_amount) AS total_revenue, sum(gross_amount) AS gross_revenue,
           sum(discount_amount) AS discount_amount, sum(refunded_amount) AS refunded_amount,
           sum(refunded_net_amount) AS refunded_net_amount, sum(units)::bigint AS total_units,
           sum(refunded_units)::bigint AS refunded_units, sum(net_amount) AS net_amount,
           sum(units) FILTER (WHERE kind <> 'replacement') AS sold_units
    FROM month
    GROUP BY 1, 2, 3, 4
),
orders AS (
    {orders}
)
SELECT m.date, m.channel_id, m.product_id, m.currency, m.total_revenue, m.gross_revenue, m.discount_amount,
       m.refunded_amount, m.refunded_net_amount, m.total_units, m.refunded_units,
       CASE WHEN m.sold_units <> 0 THEN round(m.net_amount / m.sold_units, 4) END AS avg_price,
       coalesce(o.num_orders, 0) AS num_orders
FROM measures m
LEFT JOIN orders o
  ON o.date = m.date AND o.channel_id = m.channel_id AND o.product_id = m.product_id AND o.currency = m.currency
WHERE m.total_revenue <> 0 OR m.gross_revenue <> 0 OR m.discount_amount <> 0 OR m.refunded_amount <> 0
   OR m.refunded_net_amount <> 0 OR m.total_units <> 0 OR m.refunded_units <> 0
   OR coalesce(o.num_orders, 0) <> 0
ORDER BY m.product_id, m.channel_id, m.date, m.currency
