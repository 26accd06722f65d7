WITH per_order AS (
    SELECT order_date AS date, channel_id, currency, order_id, sum(units) AS units, sum(gross_amount) AS gross,
           sum(refunded_amount) AS refunded, sum(net_amount) - sum(refunded_net_amount) AS revenue
    FROM core.sales_events
    WHERE order_date >= CAST(:first AS date) AND order_date < CAST(:after AS date)
    GROUP BY 1, 2, 3, 4
)
SELECT p.date, p.channel_id, coalesce(o.ship_country, '') AS ship_country, coalesce(o.ship_region, '') AS ship_region,
       p.currency, count(*) FILTER (WHERE p.units > 0) AS num_orders, sum(p.units)::bigint AS total_units,
       sum(p.gross) AS gross_revenue, sum(p.refunded) AS refunded_amount, sum(p.revenue) AS total_revenue
FROM per_order p
JOIN core.orders o ON o.id = p.order_id
GROUP BY 1, 2, 3, 4, 5
HAVING count(*) FILTER (WHERE p.units > 0) > 0 OR sum(p.gross) <> 0 OR sum(p.refunded) <> 0 OR sum(p.revenue) <> 0
ORDER BY 2, 3, 4, 1, 5
