-- Only channels that tell of checkouts at all.
WITH begun AS (
    SELECT (k.created_at AT TIME ZONE c.timezone)::date AS date, k.channel_id,
           coalesce(k.currency, c.currency) AS currency, count(*) AS checkouts,
           count(k.completed_at) AS recovered_checkouts,
           coalesce(sum(k.total) FILTER (WHERE k.completed_at IS NULL), 0) AS abandoned_amount,
           coalesce(sum(k.total) FILTER (WHERE k.completed_at IS NOT NULL), 0) AS recovered_amount
    FROM core.carts k
    JOIN core.channels c ON c.id = k.channel_id
    WHERE k.created_at >= CAST(:first AS date) - 2 AND k.created_at < CAST(:after AS date) + 2
      AND (k.created_at AT TIME ZONE c.timezone)::date >= CAST(:first AS date)
      AND (k.created_at AT TIME ZONE c.timezone)::date < CAST(:after AS date)
    GROUP BY 1, 2, 3
),
placed AS (
    SELECT o.order_date AS date, o.channel_id, coalesce(o.currency, c.currency) AS currency, count(*) AS num_orders
    FROM core.orders o
    JOIN core.channels c ON c.id = o.channel_id
    WHERE o.order_date >= CAST(:first AS date) AND o.order_date < CAST(:after AS date) AND NOT o.is_test
      AND EXISTS (SELECT FROM core.carts k WHERE k.channel_id = o.channel_id)
    GROUP BY 1, 2, 3
)
SELECT date, channel_id, currency, coalesce(b.checkouts, 0) AS checkouts,
       coalesce(b.recovered_checkouts, 0) AS recovered_checkouts,
       coalesce(b.checkouts - b.recovered_checkouts, 0) AS abandoned_checkouts,
       coalesce(b.abandoned_amount, 0) AS abandoned_amount, coalesce(b.recovered_amount, 0) AS recovered_amount,
       coalesce(p.num_orders, 0) AS num_orders,
       coalesce(p.num_orders, 0)::double precision
           / nullif(coalesce(p.num_orders, 0) + coalesce(b.checkouts - b.recovered_checkouts, 0), 0)
           AS completion_rate
FROM begun b
FULL JOIN placed p USING (date, channel_id, currency)
ORDER BY channel_id, date, currency
