-- The last whole day we have read of each channel's orders; for channels read without a window, the last
-- day with an order.
WITH ends AS (
    SELECT c.id AS channel_id,
           coalesce(
               (s.observed_at AT TIME ZONE c.timezone)::date - 1,
               (SELECT max(e.order_date) FROM core.sales_events e WHERE e.channel_id = c.id)
           ) AS last_date
    FROM core.channels c
    LEFT JOIN ops.observations s ON s.channel_id = c.id AND s.resource = 'orders'
),
sold AS (
    SELECT e.channel_id, e.product_id, e.order_date, sum(e.units)::bigint AS units,
           CASE WHEN sum(e.units) > 0 THEN sum(e.net_amount) / sum(e.units) END AS net_price
    FROM core.sales_events e
    WHERE e.product_id IS NOT NULL
    GROUP BY 1, 2, 3
),
series AS (
    SELECT s.channel_id, s.product_id, min(s.order_date) AS first_date
    FROM sold s
    WHERE s.units > 0
    GROUP BY 1, 2
),
bounded AS (
    SELECT r.channel_id, r.product_id,
           greatest(r.first_date, CAST(%(since)s AS date)) AS first_date,
           least(e.last_date, CAST(%(until)s AS date) - 1) AS last_date
    FROM series r
    JOIN ends e ON e.channel_id = r.channel_id
)
SELECT c.name AS channel, p.sku, p.category, b.product_id, b.channel_id, coalesce(s.order_date, b.first_date) AS date,
       b.first_date, b.last_date, coalesce(s.units, 0) AS units, s.net_price, l.list_price
FROM bounded b
JOIN core.channels c ON c.id = b.channel_id
JOIN core.products p ON p.id = b.product_id
LEFT JOIN sold s
  ON s.channel_id = b.channel_id AND s.product_id = b.product_id
 AND s.order_date BETWEEN b.first_date AND b.last_date
LEFT JOIN LATERAL (
    SELECT max(k.listing_price) AS list_price
    FROM core.channel_products k
    WHERE k.channel_id = b.channel_id AND k.product_id = b.product_id
) l ON true
WHERE b.first_date <= b.last_date
ORDER BY c.name, p.sku, 6
