-- Places of products that lie in several of a channel, with the units that left each since an instant, and the days it was
-- watched for. Removals are taken for sales: channels say what is there, not why it changed.
WITH several AS (
    SELECT product_id, channel_id
    FROM core.inventory
    WHERE absent_since IS NULL
    GROUP BY product_id, channel_id
    HAVING count(*) > 1
),
moves AS (
    SELECT h.product_id, h.channel_id, h.warehouse_location, h.observed_at,
           h.quantity_available - lag(h.quantity_available)
               OVER (PARTITION BY h.product_id, h.channel_id, h.warehouse_location ORDER BY h.observed_at, h.id) AS moved
    FROM core.inventory_history h
    JOIN several s USING (product_id, channel_id)
),
gone AS (
    SELECT product_id, channel_id, warehouse_location,
           coalesce(sum(-moved) FILTER (WHERE moved < 0 AND observed_at >= CAST(%(since)s AS timestamptz)), 0) AS units,
           greatest(extract(epoch FROM CAST(%(now)s AS timestamptz)
               - greatest(min(observed_at), CAST(%(since)s AS timestamptz))) / 86400, 1) AS days
    FROM moves
    GROUP BY product_id, channel_id, warehouse_location
)
SELECT c.name || '|' || p.sku AS series_id, i.warehouse_location, greatest(i.quantity_available, 0) AS available,
       coalesce(g.units / g.days, 0)::double precision AS left_daily
FROM core.inventory i
JOIN several s USING (product_id, channel_id)
JOIN core.channels c ON c.id = i.channel_id AND c.is_active
JOIN core.products p ON p.id = i.product_id
LEFT JOIN gone g ON g.product_id = i.product_id AND g.channel_id = i.channel_id
    AND g.warehouse_location = i.warehouse_location
WHERE i.absent_since IS NULL
ORDER BY 1, 2
