-- One row per checkout left and product in it. Reachable: its customer is known, it is young, and he bought nothing since.
WITH bought AS (
    SELECT customer_key, max(ordered_at) AS last_at
    FROM core.orders
    WHERE customer_key IS NOT NULL AND status <> 'cancelled' AND NOT is_test
      AND order_date >= CAST(%(now)s AS timestamptz)::date - 32
    GROUP BY customer_key
)
SELECT k.id AS cart_id, (k.created_at AT TIME ZONE c.timezone)::date AS date,
       extract(hour FROM k.created_at AT TIME ZONE c.timezone)::bigint AS hour, k.channel_id,
       coalesce(i.product_id, 0) AS product_id, coalesce(k.currency, c.currency) AS currency, k.customer_key,
       sum(i.quantity)::bigint AS units, sum(coalesce(i.total, 0)) AS amount,
       k.completed_at IS NOT NULL AS is_recovered,
       k.completed_at IS NULL AND k.customer_key IS NOT NULL
           AND k.created_at >= CAST(%(now)s AS timestamptz) - interval '30 days'
           AND coalesce(b.last_at < k.created_at, true) AS is_reachable
FROM core.carts k
JOIN core.channels c ON c.id = k.channel_id
JOIN core.cart_items i ON i.cart_id = k.id
LEFT JOIN bought b ON b.customer_key = k.customer_key
WHERE k.created_at < CAST(%(now)s AS timestamptz)
GROUP BY k.id, c.id, i.product_id, b.last_at
HAVING sum(i.quantity) > 0
