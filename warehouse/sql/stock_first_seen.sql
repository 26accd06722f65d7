-- The business day on which stock of each product was first looked at on each channel.
SELECT c.name || '|' || p.sku AS series_id, min((h.observed_at AT TIME ZONE c.timezone)::date) AS known_since
FROM core.inventory_history h
JOIN core.channels c ON c.id = h.channel_id
JOIN core.products p ON p.id = h.product_id
GROUP BY c.name, p.sku
