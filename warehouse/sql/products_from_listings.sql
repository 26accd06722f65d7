-- A product is what its listings say, field by field the newest that says anything: the same whatever the
-- order in which channels were read.
UPDATE core.products p
SET name = n.name, category = n.category, brand = n.brand, barcode = n.barcode, cost_price = n.cost_price,
    cost_currency = n.cost_currency, is_stub = n.is_stub, updated_at = clock_timestamp()
FROM (
    SELECT k.product_id,
           coalesce(
               (array_agg(k.name ORDER BY k.source_updated_at DESC NULLS LAST, k.channel_id, k.external_id)
                FILTER (WHERE k.name IS NOT NULL))[1],
               (array_agg(k.listing_title
                          ORDER BY k.source_updated_at DESC NULLS LAST, k.channel_id, k.external_id)
                FILTER (WHERE k.listing_title IS NOT NULL))[1]
           ) AS name,
           (array_agg(k.category ORDER BY k.source_updated_at DESC NULLS LAST, k.channel_id, k.external_id)
            FILTER (WHERE k.category IS NOT NULL))[1] AS category,
           (array_agg(k.brand ORDER BY k.source_updated_at DESC NULLS LAST, k.channel_id, k.external_id)
            FILTER (WHERE k.brand IS NOT NULL))[1] AS brand,
           (array_agg(k.barcode ORDER BY k.source_updated_at DESC NULLS LAST, k.channel_id, k.external_id)
            FILTER (WHERE k.barcode IS NOT NULL))[1] AS barcode,
           (array_agg(k.cost_price ORDER BY k.source_updated_at DESC NULLS LAST, k.channel_id, k.external_id)
            FILTER (WHERE k.cost_price IS NOT NULL))[1] AS cost_price,
           (array_agg(k.currency ORDER BY k.source_updated_at DESC NULLS LAST, k.channel_id, k.external_id)
            FILTER (WHERE k.cost_price IS NOT NULL))[1] AS cost_currency,
           bool_and(k.is_stub) AS is_stub
    FROM core.channel_products k
    WHERE k.product_id = ANY (:products)
    GROUP BY k.product_id
) n
WHERE p.id = n.product_id
  AND (p.name, p.category, p.brand, p.barcode, p.cost_price, p.cost_currency, p.is_stub)
      IS DISTINCT FROM
      (n.name, n.category, n.brand, n.barcode, n.cost_price, n.cost_currency, n.is_stub)
