WITH last AS (
    SELECT DISTINCT ON (account, resource) account, resource, outcome, started_at, message
    FROM ops.runs
    WHERE kind = 'sync' AND account IS NOT NULL AND resource IS NOT NULL
    ORDER BY account, resource, id DESC
),
good AS (
    SELECT account, resource, max(finished_at) AS finished_at
    FROM ops.runs
    WHERE kind = 'sync' AND outcome IN ('done', 'degraded')
    GROUP BY account, resource
),
refused AS (
    SELECT account, resource, count(*) AS refused FROM ops.quarantine WHERE replayed_at IS NULL GROUP BY 1, 2
)
SELECT l.account, l.resource, w.read_until, g.finished_at AS last_sync_at, l.outcome AS last_outcome,
       l.started_at AS last_started_at, l.message AS last_message, coalesce(r.refused, 0) AS refused
FROM last l
LEFT JOIN good g USING (account, resource)
LEFT JOIN ops.watermarks w USING (account, resource)
LEFT JOIN refused r USING (account, resource)
ORDER BY 1, 2
