WITH orders AS (
    SELECT o.customer_key, o.order_date, o.id, e.currency, sum(e.units) AS units,
           sum(e.net_amount - e.refunded_net_amount) AS revenue
    FROM core.orders o
    JOIN core.sales_events e ON e.order_id = o.id AND e.kind <> 'replacement'
    WHERE o.customer_key IS NOT NULL
    GROUP BY o.customer_key, o.order_date, o.id, e.currency
    HAVING sum(e.units) > 0
)
SELECT date_trunc('month', first_purchase_date)::date AS cohort_month, customer_key, first_purchase_date,
       total_orders, lifetime_value, currency
FROM (
    SELECT customer_key, currency, min(min(order_date)) OVER (PARTITION BY customer_key) AS first_purchase_date,
           count(DISTINCT id) AS total_orders, sum(revenue) AS lifetime_value
    FROM orders
    GROUP BY customer_key, currency
) c
ORDER BY 1, 2, 6
