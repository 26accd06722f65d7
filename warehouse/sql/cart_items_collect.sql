CREATE TEMP TABLE t_cart_items ON COMMIT DROP AS
SELECT DISTINCT ON (k.cart_id, i.line_id) k.cart_id, i.line_id, p.product_id, i.sku, i.external_id, i.title,
       coalesce(i.quantity, 0) AS quantity, i.total
FROM t_carts k
JOIN staging."{load}__cart_items" i
  ON i.channel = k.channel AND i.cart_external_id = k.external_id AND i.seq = k.seq
LEFT JOIN t_product_of p
  ON p.channel_id = k.channel_id AND p.sku = coalesce(i.sku, '') AND p.external_id = coalesce(i.external_id, '')
WHERE k.action <> 'older'
ORDER BY k.cart_id, i.line_id, i.quantity DESC, i.total DESC NULLS LAST
