SELECT channel_id, product_id, max(listing_price)::float8 AS list_price
FROM core.channel_products
WHERE listing_price IS NOT NULL
GROUP BY 1, 2
