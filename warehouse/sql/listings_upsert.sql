-- Catalogue rows, newest version each; an unchanged or older one writes nothing. Whether it changed is told by its
-- content alone: some sources have no update clock, and the instant of a reading is no change.
WITH newest AS (
    SELECT DISTINCT ON (s.channel, s.external_id) s.*
    FROM staging."{load}__products" s
    ORDER BY s.channel, s.external_id, s.source_updated_at DESC NULLS LAST, s.seq DESC,
             s.sku, s.price, s.title
)
INSERT INTO core.channel_products AS k (
    channel_id, product_id, external_id, sku, listing_title, listing_price, currency, name, category, brand,
    barcode, cost_price, is_active, is_stub, source_updated_at
)
SELECT c.id, l.product_id, n.external_id, n.sku, n.title, n.price, coalesce(n.currency, c.currency), n.name,
       n.category, n.brand, n.barcode, n.cost_price, coalesce(n.is_active, true), false, n.source_updated_at
FROM newest n
JOIN core.channels c ON c.name = n.channel
JOIN t_product_of l
  ON l.channel_id = c.id AND l.sku = coalesce(n.sku, '') AND l.external_id = n.external_id
LEFT JOIN core.channel_products o ON o.channel_id = c.id AND o.external_id = n.external_id
WHERE o.id IS NULL
   OR (
       (o.is_stub OR n.source_updated_at >= o.source_updated_at OR o.source_updated_at IS NULL)
       AND (o.product_id, o.sku, o.listing_title, o.listing_price, o.currency, o.name, o.category, o.brand,
            o.barcode, o.cost_price, o.is_active, o.is_stub)
           IS DISTINCT FROM
           (l.product_id, n.sku, n.title, n.price, coalesce(n.currency, c.currency), n.name, n.category,
            n.brand, n.barcode, n.cost_price, coalesce(n.is_active, true), false)
   )
ORDER BY c.id, n.external_id
ON CONFLICT (channel_id, external_id) DO UPDATE SET
    product_id = EXCLUDED.product_id, sku = EXCLUDED.sku, listing_title = EXCLUDED.listing_title,
    listing_price = EXCLUDED.listing_price, currency = EXCLUDED.currency, name = EXCLUDED.name,
    category = EXCLUDED.category, brand = EXCLUDED.brand, barcode = EXCLUDED.barcode,
    cost_price = EXCLUDED.cost_price, is_active = EXCLUDED.is_active, is_stub = false,
    source_updated_at = EXCLUDED.source_updated_at
WHERE k.is_stub OR k.source_updated_at IS NULL OR EXCLUDED.source_updated_at >= k.source_updated_at
RETURNING k.product_id, (xmax = 0) AS inserted
