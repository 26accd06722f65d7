-- Sellable and inbound units of each place at the end of every business day on which something changed.
SELECT DISTINCT ON (h.product_id, h.channel_id, h.warehouse_location, date)
       c.name || '|' || p.sku AS series_id, h.warehouse_location AS place,
       (h.observed_at AT TIME ZONE c.timezone)::date AS date,
       greatest((s.observed_at AT TIME ZONE c.timezone)::date, (h.observed_at AT TIME ZONE c.timezone)::date) AS last_date,
       greatest(h.quantity_available, 0) AS available, coalesce(h.quantity_inbound, 0) AS inbound
FROM core.inventory_history h
JOIN core.channels c ON c.id = h.channel_id
JOIN core.products p ON p.id = h.product_id
LEFT JOIN ops.observations s ON s.channel_id = h.channel_id AND s.resource = 'inventory'
WHERE CAST(%(products)s AS bigint[]) IS NULL OR h.product_id = ANY(CAST(%(products)s AS bigint[]))
ORDER BY h.product_id, h.channel_id, h.warehouse_location, date, h.id DESC
