-- Customers as staged last; an older version than core has writes nothing, nor does the same again.
INSERT INTO core.customers AS k (
    channel_id, customer_key, created_at, source_updated_at, orders_count, amount_spent, currency, country, run_id
)
SELECT DISTINCT ON (c.id, s.customer_key)
       c.id, s.customer_key, s.created_at, s.source_updated_at, s.orders_count, s.amount_spent,
       CASE WHEN s.amount_spent IS NOT NULL THEN coalesce(s.currency, c.currency) END, s.country, :run_id
FROM staging."{load}__customers" s
JOIN core.channels c ON c.name = s.channel
WHERE s.customer_key IS NOT NULL  -- null: erased
ORDER BY c.id, s.customer_key, s.source_updated_at DESC NULLS LAST, s.seq DESC
ON CONFLICT (channel_id, customer_key) DO UPDATE SET
    created_at = EXCLUDED.created_at, source_updated_at = EXCLUDED.source_updated_at,
    orders_count = EXCLUDED.orders_count, amount_spent = EXCLUDED.amount_spent, currency = EXCLUDED.currency,
    country = EXCLUDED.country, run_id = EXCLUDED.run_id
WHERE (k.source_updated_at IS NULL OR EXCLUDED.source_updated_at >= k.source_updated_at)
  AND (k.created_at, k.source_updated_at, k.orders_count, k.amount_spent, k.currency, k.country)
      IS DISTINCT FROM
      (EXCLUDED.created_at, EXCLUDED.source_updated_at, EXCLUDED.orders_count, EXCLUDED.amount_spent,
       EXCLUDED.currency, EXCLUDED.country)
RETURNING (xmax = 0) AS inserted
