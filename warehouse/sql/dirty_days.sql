-- Days whose published figures are out of date. {days}: queries for channel_id, day.
INSERT INTO ops.dirty_days (channel_id, day, version, marked_at)
SELECT d.channel_id, d.day, nextval('ops.dirty_versions'), transaction_timestamp()
FROM (
    SELECT DISTINCT x.channel_id, x.day FROM ({days}) x WHERE x.day IS NOT NULL
) d
ORDER BY d.channel_id, d.day
ON CONFLICT (channel_id, day) DO UPDATE SET version = EXCLUDED.version, marked_at = EXCLUDED.marked_at
