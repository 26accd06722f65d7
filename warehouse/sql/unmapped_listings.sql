SELECT c.name AS channel, coalesce(k.sku, '') AS sku, k.external_id, coalesce(k.listing_title, k.name) AS title, k.barcode,
       (SELECT string_agg(DISTINCT p.sku, ', ' ORDER BY p.sku)
        FROM core.channel_products b
        JOIN core.products p ON p.id = b.product_id
        WHERE b.barcode = k.barcode AND b.product_id <> k.product_id) AS same_barcode
FROM core.channel_products k
JOIN core.channels c ON c.id = k.channel_id AND c.is_active
WHERE k.is_active
  AND (SELECT count(*) FROM core.channels a WHERE a.is_active) > 1
  AND NOT EXISTS (
      SELECT FROM core.channel_products b WHERE b.product_id = k.product_id AND b.channel_id <> k.channel_id
  )
  AND NOT EXISTS (SELECT FROM core.sku_map m WHERE m.channel_id = k.channel_id AND m.channel_sku = k.sku)
ORDER BY c.name, 2, k.external_id
