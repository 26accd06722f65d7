INSERT INTO ops.schema_notes AS n (account, resource, note)
VALUES (:account, :resource, :note)
ON CONFLICT (account, resource, note) DO UPDATE SET times = n.times + 1, last_seen_at = clock_timestamp()
RETURNING times = 1 AS is_new
