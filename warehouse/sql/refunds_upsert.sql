WITH newest AS (
    SELECT DISTINCT ON (s.channel, s.order_external_id, s.refund_id, coalesce(s.line_id, ''))
           c.id AS channel_id, s.order_external_id, s.refund_id, coalesce(s.line_id, '') AS line_id,
           coalesce(s.quantity, 0) AS quantity, s.amount, s.net_amount, coalesce(s.currency, c.currency) AS currency,
           s.refunded_at, s.source_updated_at
    FROM staging."{load}__refunds" s
    JOIN core.channels c ON c.name = s.channel
    ORDER BY s.channel, s.order_external_id, s.refund_id, coalesce(s.line_id, ''),
             s.source_updated_at DESC NULLS LAST, s.seq DESC, s.amount DESC NULLS LAST, s.quantity DESC
)
INSERT INTO core.refunds AS r (
    channel_id, order_external_id, refund_id, line_id, quantity, amount, net_amount, currency, refunded_at,
    source_updated_at, order_line_id, run_id
)
SELECT n.*, n.line_id, :run_id
FROM newest n
LEFT JOIN core.refunds o
  ON o.channel_id = n.channel_id AND o.order_external_id = n.order_external_id
 AND o.refund_id = n.refund_id AND o.line_id = n.line_id
WHERE o.id IS NULL
   OR (
       (o.source_updated_at IS NULL OR n.source_updated_at >= o.source_updated_at)
       AND (o.quantity, o.amount, o.net_amount, o.currency, o.refunded_at, o.source_updated_at)
           IS DISTINCT FROM
           (n.quantity, n.amount, n.net_amount, n.currency, n.refunded_at, n.source_updated_at)
   )
ORDER BY n.channel_id, n.order_external_id, n.refund_id, n.line_id
ON CONFLICT (channel_id, order_external_id, refund_id, line_id) DO UPDATE SET
    quantity = EXCLUDED.quantity, amount = EXCLUDED.amount, net_amount = EXCLUDED.net_amount,
    currency = EXCLUDED.currency, refunded_at = EXCLUDED.refunded_at,
    source_updated_at = EXCLUDED.source_updated_at, run_id = EXCLUDED.run_id
WHERE r.source_updated_at IS NULL OR EXCLUDED.source_updated_at >= r.source_updated_at
RETURNING r.channel_id, r.order_external_id, (xmax = 0) AS inserted
