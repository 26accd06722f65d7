WITH seen AS (
    INSERT INTO ops.observations AS s (channel_id, resource, observed_at, held_since, run_id)
    VALUES (:channel_id, :resource, :until, NULL, :run_id)
    ON CONFLICT (channel_id, resource) DO UPDATE SET
        observed_at = greatest(s.observed_at, EXCLUDED.observed_at), held_since = NULL, run_id = EXCLUDED.run_id
)
UPDATE core.channels SET last_sync_at = clock_timestamp() WHERE id = :channel_id
