-- Unit cost in the channel's own currency: what its listing states, else a listing in the same currency.
SELECT c.name || '|' || p.sku AS series_id,
       coalesce(
           max(k.cost_price) FILTER (WHERE k.channel_id = c.id),
           max(k.cost_price) FILTER (WHERE k.currency = c.currency)
       ) AS unit_cost
FROM core.channels c
JOIN core.channel_products l ON l.channel_id = c.id
JOIN core.products p ON p.id = l.product_id
JOIN core.channel_products k ON k.product_id = p.id
GROUP BY c.id, c.name, c.currency, p.sku
ORDER BY 1
