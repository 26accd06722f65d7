-- Sellable units at the end of each business day on which something changed, all places together; the state
-- before `since` counts as the state of its first day.
WITH changes AS (
    SELECT h.product_id, h.channel_id, h.warehouse_location, h.id, greatest(h.quantity_available, 0) AS available,
           (greatest(h.observed_at, CAST(%(since)s AS timestamptz)) AT TIME ZONE c.timezone)::date AS date
    FROM core.inventory_history h
    JOIN core.channels c ON c.id = h.channel_id
),
by_day AS (
    SELECT DISTINCT ON (product_id, channel_id, warehouse_location, date) *
    FROM changes
    ORDER BY product_id, channel_id, warehouse_location, date, id DESC
),
steps AS (
    SELECT b.product_id, b.channel_id, b.date,
           b.available - coalesce(lag(b.available) OVER (
               PARTITION BY b.product_id, b.channel_id, b.warehouse_location ORDER BY b.date
           ), 0) AS change
    FROM by_day b
),
totals AS (
    SELECT product_id, channel_id, date,
           sum(sum(change)) OVER (PARTITION BY product_id, channel_id ORDER BY date)::bigint AS available
    FROM steps
    GROUP BY 1, 2, 3
)
SELECT c.name AS channel, p.sku, t.product_id, t.channel_id, t.date,
       greatest((s.observed_at AT TIME ZONE c.timezone)::date, t.date) AS last_date, t.available
FROM totals t
JOIN core.channels c ON c.id = t.channel_id
JOIN core.products p ON p.id = t.product_id
LEFT JOIN ops.observations s ON s.channel_id = t.channel_id AND s.resource = 'inventory'
ORDER BY c.name, p.sku, t.date
