INSERT INTO core.fees AS f (
    channel_id, fee_id, order_external_id, line_id, product_id, sku, fee_type, amount, currency, posted_at,
    posted_date, run_id
)
SELECT channel_id, fee_id, order_external_id, line_id, product_id, sku, fee_type, amount, currency, posted_at,
       posted_date, :run_id
FROM t_fees
ORDER BY channel_id, fee_id
ON CONFLICT (channel_id, fee_id) DO UPDATE SET
    order_external_id = EXCLUDED.order_external_id, line_id = EXCLUDED.line_id,
    product_id = coalesce(EXCLUDED.product_id, f.product_id), sku = EXCLUDED.sku, fee_type = EXCLUDED.fee_type,
    amount = EXCLUDED.amount, currency = EXCLUDED.currency, posted_at = EXCLUDED.posted_at,
    posted_date = EXCLUDED.posted_date, run_id = EXCLUDED.run_id
RETURNING (xmax = 0) AS inserted
