-- Orders and sales of one month by channel. As ordered: from the orders and their lines; as it counts: from the
-- ledger.
WITH {ordered_days},
per_order AS (
    SELECT order_date AS date, channel_id, currency, order_id, sum(units) AS units, sum(gross_amount) AS gross,
           sum(discount_amount) AS discount, sum(net_amount) AS net, sum(refunded_amount) AS refunded,
           sum(refunded_net_amount) AS refunded_net
    FROM core.sales_events
    WHERE order_date >= CAST(:first AS date) AND order_date < CAST(:after AS date)
    GROUP BY 1, 2, 3, 4
),
counted AS (
    SELECT p.date, p.channel_id, p.currency, count(*) FILTER (WHERE p.units > 0) AS num_orders,
           count(DISTINCT o.customer_key) FILTER (WHERE p.units > 0) AS num_customers,
           sum(p.units)::bigint AS total_units, sum(p.gross) AS gross_revenue, sum(p.discount) AS discount_amount,
           sum(p.refunded) AS refunded_amount, sum(p.net) - sum(p.refunded_net) AS total_revenue
    FROM per_order p
    JOIN core.orders o ON o.id = p.order_id
    GROUP BY 1, 2, 3
)
SELECT date, channel_id, currency, coalesce(c.num_orders, 0) AS num_orders,
       coalesce(o.orders_placed, 0) AS orders_placed, coalesce(o.orders_cancelled, 0) AS orders_cancelled,
       coalesce(o.units_ordered, 0) AS units_ordered, coalesce(o.units_cancelled, 0) AS units_cancelled,
       coalesce(o.ordered_amount, 0) AS ordered_amount, coalesce(o.cancelled_amount, 0) AS cancelled_amount,
       coalesce(o.shipping_amount, 0) AS shipping_amount, coalesce(o.tax_amount, 0) AS tax_amount,
       coalesce(c.num_customers, 0) AS num_customers, coalesce(c.total_units, 0) AS total_units,
       coalesce(c.gross_revenue, 0) AS gross_revenue, coalesce(c.discount_amount, 0) AS discount_amount,
       coalesce(c.refunded_amount, 0) AS refunded_amount, coalesce(c.total_revenue, 0) AS total_revenue,
       CASE WHEN c.num_orders > 0 THEN round(c.total_revenue / c.num_orders, 4) END AS avg_order_value
FROM ordered o
FULL JOIN counted c USING (date, channel_id, currency)
ORDER BY channel_id, date, currency
