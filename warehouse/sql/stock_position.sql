SELECT c.name || '|' || p.sku AS series_id, i.product_id, i.channel_id, c.name AS channel, c.account, p.sku, p.name,
       p.category, sum(greatest(i.quantity_available, 0))::bigint AS available,
       coalesce(sum(i.quantity_reserved), 0)::bigint AS reserved,
       coalesce(sum(i.quantity_inbound), 0)::bigint AS inbound, max(i.source_updated_at) AS source_updated_at,
       s.observed_at, s.held_since IS NULL AS is_confirmed, l.listing_price AS price, c.currency
FROM core.inventory i
JOIN core.channels c ON c.id = i.channel_id AND c.is_active
JOIN core.products p ON p.id = i.product_id
LEFT JOIN ops.observations s ON s.channel_id = i.channel_id AND s.resource = 'inventory'
LEFT JOIN LATERAL (
    SELECT max(k.listing_price) AS listing_price
    FROM core.channel_products k
    WHERE k.channel_id = i.channel_id AND k.product_id = i.product_id
) l ON true
GROUP BY i.product_id, i.channel_id, c.name, c.account, p.sku, p.name, p.category, s.observed_at, s.held_since,
         l.listing_price, c.currency
ORDER BY c.name, p.sku
