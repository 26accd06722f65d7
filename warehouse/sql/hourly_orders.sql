-- Orders placed per hour, and when the last of them was: per channel, per category on it, per product on it.
-- Replacements and tests are no demand.
WITH placed AS (
    SELECT o.id, o.channel_id, o.ordered_at, date_trunc('hour', o.ordered_at) AS hour_at, i.product_id, p.category
    FROM core.orders o
    LEFT JOIN core.order_items i ON i.order_id = o.id
    LEFT JOIN core.products p ON p.id = i.product_id
    WHERE o.ordered_at >= %(since)s AND o.ordered_at < %(until)s AND NOT o.is_replacement
      AND NOT o.is_test
)
SELECT channel_id, NULL::bigint AS product_id, NULL::text AS category, hour_at, count(DISTINCT id)::bigint AS orders,
       max(ordered_at) AS last_at
FROM placed GROUP BY channel_id, hour_at
UNION ALL
SELECT channel_id, NULL, category, hour_at, count(DISTINCT id), max(ordered_at)
FROM placed WHERE category IS NOT NULL GROUP BY channel_id, category, hour_at
UNION ALL
SELECT channel_id, product_id, NULL, hour_at, count(DISTINCT id), max(ordered_at)
FROM placed WHERE product_id IS NOT NULL GROUP BY channel_id, product_id, hour_at
