-- What buyers said as staged last, beside what core has. What names no SKU is about the only one of its order.
CREATE TEMP TABLE t_feedback ON COMMIT DROP AS
WITH newest AS (
    SELECT DISTINCT ON (s.channel, s.feedback_id) s.*
    FROM staging."{load}__feedback" s
    ORDER BY s.channel, s.feedback_id, s.seq DESC, s.posted_at DESC
),
meant AS (
    SELECT c.id AS channel_id, n.feedback_id, n.order_external_id, coalesce(p.product_id, i.product_id) AS product_id,
           coalesce(n.sku, i.sku) AS sku, n.rating, n.text, n.posted_at,
           (n.posted_at AT TIME ZONE c.timezone)::date AS posted_date
    FROM newest n
    JOIN core.channels c ON c.name = n.channel
    LEFT JOIN t_product_of p ON p.channel_id = c.id AND p.sku = n.sku AND p.external_id = ''
    LEFT JOIN core.orders o ON o.channel_id = c.id AND o.external_id = n.order_external_id AND n.sku IS NULL
    LEFT JOIN LATERAL (
        SELECT min(product_id) AS product_id, min(sku) AS sku
        FROM core.order_items WHERE order_id = o.id
        HAVING count(DISTINCT sku) = 1 AND count(sku) = count(*)
    ) i ON true
)
SELECT n.*
FROM meant n
LEFT JOIN core.feedback f ON f.channel_id = n.channel_id AND f.feedback_id = n.feedback_id
WHERE (f.order_external_id, f.product_id, f.sku, f.rating, f.text, f.posted_at)
      IS DISTINCT FROM
      (n.order_external_id, coalesce(n.product_id, f.product_id), coalesce(n.sku, f.sku), n.rating, n.text, n.posted_at)
