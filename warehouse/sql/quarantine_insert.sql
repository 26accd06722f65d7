-- Refused again: counted, not repeated.
INSERT INTO ops.quarantine AS q (account, channel, resource, natural_key, field, reason, raw, run_id)
SELECT DISTINCT ON (r.channel, r.resource, r.natural_key, r.field, r.reason)
       :account, r.channel, r.resource, r.natural_key, r.field, r.reason,
       CASE
           WHEN EXISTS (
               SELECT FROM ops.tombstones t
               WHERE t.kind = 'order' AND t.account IN ('', :account)
                 AND t.digest = encode(sha256(convert_to(split_part(r.natural_key, '/', 1), 'UTF8')), 'hex')
           ) THEN NULL  -- of somebody erased: that it was refused is known, not what it said
           WHEN jsonb_typeof(r.raw) = 'object' THEN r.raw
           ELSE jsonb_build_object('value', r.raw)
       END, :run_id
FROM jsonb_to_recordset(CAST(:rows AS jsonb))
     AS r (channel text, resource text, natural_key text, field text, reason text, raw jsonb)
ORDER BY r.channel, r.resource, r.natural_key, r.field, r.reason
ON CONFLICT (account, channel, resource, natural_key, field, reason) WHERE replayed_at IS NULL
DO UPDATE SET times = q.times + 1, last_refused_at = clock_timestamp(), run_id = EXCLUDED.run_id,
              raw = EXCLUDED.raw
