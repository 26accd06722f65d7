-- A listing known from an order or from stock only, until a catalogue names it.
INSERT INTO core.channel_products (channel_id, product_id, external_id, sku, listing_title, currency, is_stub)
SELECT DISTINCT ON (l.channel_id, coalesce(nullif(l.external_id, ''), l.sku))
       l.channel_id, l.product_id, coalesce(nullif(l.external_id, ''), l.sku), nullif(l.sku, ''), l.title,
       l.currency, true
FROM t_product_of l
WHERE NOT EXISTS (
    SELECT FROM core.channel_products k
    WHERE k.channel_id = l.channel_id AND k.external_id = coalesce(nullif(l.external_id, ''), l.sku)
)
  AND NOT EXISTS (
    SELECT FROM core.channel_products k
    WHERE k.channel_id = l.channel_id AND k.product_id = l.product_id AND NOT k.is_stub
)
ORDER BY l.channel_id, coalesce(nullif(l.external_id, ''), l.sku), l.sku
ON CONFLICT (channel_id, external_id) DO NOTHING
RETURNING product_id
