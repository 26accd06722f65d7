CREATE TEMP TABLE t_product_of ON COMMIT DROP AS
SELECT l.channel_id, l.sku, l.external_id, l.title, l.currency, p.id AS product_id
FROM t_listings l
JOIN core.products p ON p.sku = l.wanted
