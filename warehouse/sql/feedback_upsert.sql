INSERT INTO core.feedback AS f (
    channel_id, feedback_id, order_external_id, product_id, sku, rating, text, posted_at, posted_date, run_id
)
SELECT channel_id, feedback_id, order_external_id, product_id, sku, rating, text, posted_at, posted_date, :run_id
FROM t_feedback
ORDER BY channel_id, feedback_id
ON CONFLICT (channel_id, feedback_id) DO UPDATE SET
    order_external_id = EXCLUDED.order_external_id, product_id = coalesce(EXCLUDED.product_id, f.product_id),
    sku = coalesce(EXCLUDED.sku, f.sku), rating = EXCLUDED.rating, text = EXCLUDED.text,
    posted_at = EXCLUDED.posted_at, posted_date = EXCLUDED.posted_date, run_id = EXCLUDED.run_id
RETURNING (xmax = 0) AS inserted
