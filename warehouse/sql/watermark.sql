-- Never backwards: a repeated or late run says nothing new.
INSERT INTO ops.watermarks AS w (account, resource, read_until, run_id, updated_at)
VALUES (:account, :resource, :until, :run_id, clock_timestamp())
ON CONFLICT (account, resource) DO UPDATE SET
    read_until = EXCLUDED.read_until, run_id = EXCLUDED.run_id, updated_at = EXCLUDED.updated_at
WHERE EXCLUDED.read_until > w.read_until
