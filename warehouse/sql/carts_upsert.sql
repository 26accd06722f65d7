INSERT INTO core.carts AS k (
    id, channel_id, external_id, created_at, source_updated_at, completed_at, customer_key, currency, total,
    run_id
)
OVERRIDING SYSTEM VALUE
SELECT cart_id, channel_id, external_id, created_at, source_updated_at, completed_at, customer_key, currency,
       total, :run_id
FROM t_carts
WHERE action IN ('new', 'changed')
ON CONFLICT (channel_id, external_id) DO UPDATE SET
    created_at = EXCLUDED.created_at, source_updated_at = EXCLUDED.source_updated_at,
    completed_at = EXCLUDED.completed_at, customer_key = EXCLUDED.customer_key, currency = EXCLUDED.currency,
    total = EXCLUDED.total, run_id = EXCLUDED.run_id
WHERE k.source_updated_at IS NULL OR EXCLUDED.source_updated_at >= k.source_updated_at
