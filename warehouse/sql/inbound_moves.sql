-- By how much the units on their way to each channel changed, day by day, since an instant. What was on its way at the
-- first look since then shows as a change of that day.
WITH looks AS (
    SELECT h.product_id, h.channel_id, (h.observed_at AT TIME ZONE c.timezone)::date AS date,
           coalesce(h.quantity_inbound, 0) - lag(coalesce(h.quantity_inbound, 0), 1, 0) OVER (
               PARTITION BY h.product_id, h.channel_id, h.warehouse_location ORDER BY h.id
           ) AS moved,
           min((h.observed_at AT TIME ZONE c.timezone)::date) OVER (
               PARTITION BY h.product_id, h.channel_id
           ) AS first_date
    FROM core.inventory_history h
    JOIN core.channels c ON c.id = h.channel_id
    WHERE h.observed_at >= CAST(%(since)s AS timestamptz)
)
SELECT c.name || '|' || p.sku AS series_id, l.date, sum(l.moved) AS moved, min(l.first_date) AS first_date
FROM looks l
JOIN core.channels c ON c.id = l.channel_id
JOIN core.products p ON p.id = l.product_id
GROUP BY c.name, p.sku, l.date
HAVING sum(l.moved) <> 0
