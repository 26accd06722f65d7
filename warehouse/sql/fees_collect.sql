-- Charges as staged last, beside what core has. The product is that of the SKU, else of the order line.
CREATE TEMP TABLE t_fees ON COMMIT DROP AS
WITH newest AS (
    SELECT DISTINCT ON (s.channel, s.fee_id) s.*
    FROM staging."{load}__fees" s
    ORDER BY s.channel, s.fee_id, s.seq DESC, s.amount DESC
),
meant AS (
    SELECT c.id AS channel_id, n.fee_id, n.order_external_id, n.line_id, coalesce(p.product_id, i.product_id) AS product_id,
           n.sku, n.fee_type, n.amount, coalesce(n.currency, c.currency) AS currency, n.posted_at,
           (n.posted_at AT TIME ZONE c.timezone)::date AS posted_date
    FROM newest n
    JOIN core.channels c ON c.name = n.channel
    LEFT JOIN t_product_of p ON p.channel_id = c.id AND p.sku = n.sku AND p.external_id = ''
    LEFT JOIN core.orders o ON o.channel_id = c.id AND o.external_id = n.order_external_id
    LEFT JOIN core.order_items i ON i.order_id = o.id AND i.line_id = n.line_id
)
SELECT n.*, o.posted_date AS known_date, o.id IS NULL AS is_new
FROM meant n
LEFT JOIN core.fees o ON o.channel_id = n.channel_id AND o.fee_id = n.fee_id
WHERE (o.order_external_id, o.line_id, o.product_id, o.sku, o.fee_type, o.amount, o.currency, o.posted_at)
      IS DISTINCT FROM
      (n.order_external_id, n.line_id, coalesce(n.product_id, o.product_id), n.sku, n.fee_type, n.amount, n.currency,
       n.posted_at)
