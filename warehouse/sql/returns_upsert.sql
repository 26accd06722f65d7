WITH newest AS (
    SELECT DISTINCT ON (s.channel, s.return_id, coalesce(s.return_line_id, '')) s.*
    FROM staging."{load}__returns" s
    ORDER BY s.channel, s.return_id, coalesce(s.return_line_id, ''), s.source_updated_at DESC NULLS LAST,
             s.seq DESC, s.quantity DESC, s.amount DESC NULLS LAST
),
new AS (
    SELECT c.id AS channel_id, n.return_id, coalesce(n.return_line_id, '') AS return_line_id,
           n.order_external_id, n.line_id, p.product_id, n.sku, coalesce(n.quantity, 0) AS quantity,
           n.refunded_quantity, n.amount, coalesce(n.currency, c.currency) AS currency, n.reason, n.status,
           n.returned_at, n.source_updated_at
    FROM newest n
    JOIN core.channels c ON c.name = n.channel
    LEFT JOIN t_product_of p
      ON p.channel_id = c.id AND p.sku = coalesce(n.sku, '') AND p.external_id = ''
)
INSERT INTO core.returns AS r (
    channel_id, return_id, return_line_id, order_external_id, line_id, product_id, sku, quantity,
    refunded_quantity, amount, currency, reason, status, returned_at, source_updated_at, run_id
)
SELECT n.*, :run_id
FROM new n
LEFT JOIN core.returns o
  ON o.channel_id = n.channel_id AND o.return_id = n.return_id AND o.return_line_id = n.return_line_id
WHERE o.id IS NULL
   OR (
       (o.source_updated_at IS NULL OR n.source_updated_at >= o.source_updated_at)
       AND (o.order_external_id, o.line_id, o.product_id, o.sku, o.quantity, o.refunded_quantity, o.amount,
            o.currency, o.reason, o.status, o.returned_at, o.source_updated_at)
           IS DISTINCT FROM
           (n.order_external_id, n.line_id, n.product_id, n.sku, n.quantity, n.refunded_quantity, n.amount,
            n.currency, n.reason, n.status, n.returned_at, n.source_updated_at)
   )
ON CONFLICT (channel_id, return_id, return_line_id) DO UPDATE SET
    order_external_id = EXCLUDED.order_external_id, line_id = EXCLUDED.line_id,
    product_id = EXCLUDED.product_id, sku = EXCLUDED.sku, quantity = EXCLUDED.quantity,
    refunded_quantity = EXCLUDED.refunded_quantity, amount = EXCLUDED.amount, currency = EXCLUDED.currency,
    reason = EXCLUDED.reason, status = EXCLUDED.status, returned_at = EXCLUDED.returned_at,
    source_updated_at = EXCLUDED.source_updated_at, run_id = EXCLUDED.run_id
WHERE r.source_updated_at IS NULL OR EXCLUDED.source_updated_at >= r.source_updated_at
RETURNING (xmax = 0) AS inserted
