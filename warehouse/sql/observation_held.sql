-- The answer was not believed: what we knew gets no younger.
INSERT INTO ops.observations AS s (channel_id, resource, observed_at, held_since, run_id)
VALUES (:channel_id, :resource, 'epoch', :until, :run_id)
ON CONFLICT (channel_id, resource) DO UPDATE SET
    held_since = coalesce(s.held_since, EXCLUDED.held_since), run_id = EXCLUDED.run_id
