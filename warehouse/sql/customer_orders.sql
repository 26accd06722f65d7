-- One row per order of a known customer and currency, refunds taken out; cancelled as a whole, replacement and test
-- orders are none.
SELECT o.customer_key, e.currency, o.order_date AS date, sum(e.net_amount - e.refunded_net_amount) AS amount
FROM core.orders o
JOIN core.sales_events e ON e.order_id = o.id AND e.kind <> 'replacement'
WHERE o.customer_key IS NOT NULL AND o.order_date <= CAST(%(until)s AS date)
GROUP BY o.id, o.customer_key, o.order_date, e.currency
HAVING sum(e.units) > 0
