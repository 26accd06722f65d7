INSERT INTO ops.dirty_days (channel_id, day, version, marked_at)
SELECT d.channel_id, d.day, nextval('ops.dirty_versions'), transaction_timestamp()
FROM (
    SELECT channel_id, order_date AS day FROM t_moved
    UNION
    SELECT channel_id, happened_date FROM t_moved
) d
ORDER BY d.channel_id, d.day
ON CONFLICT (channel_id, day) DO UPDATE SET version = EXCLUDED.version, marked_at = EXCLUDED.marked_at
