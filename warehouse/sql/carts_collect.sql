CREATE TEMP TABLE t_carts ON COMMIT DROP AS
WITH newest AS (
    SELECT DISTINCT ON (s.channel, s.external_id) s.*
    FROM staging."{load}__carts" s
    ORDER BY s.channel, s.external_id, s.source_updated_at DESC NULLS LAST, s.seq DESC
)
SELECT coalesce(o.id, nextval('core.carts_id_seq')) AS cart_id, c.id AS channel_id,
       n.channel, n.external_id, n.seq, n.created_at, n.source_updated_at, n.completed_at, n.customer_key,
       coalesce(n.currency, c.currency) AS currency, n.total,
       CASE
           WHEN o.id IS NULL THEN 'new'
           WHEN n.source_updated_at < o.source_updated_at THEN 'older'
           WHEN (o.created_at, o.source_updated_at, o.completed_at, o.customer_key, o.currency, o.total)
                IS DISTINCT FROM
                (n.created_at, n.source_updated_at, n.completed_at, n.customer_key,
                 coalesce(n.currency, c.currency), n.total)
           THEN 'changed'
           ELSE 'same'
       END AS action
FROM newest n
JOIN core.channels c ON c.name = n.channel
LEFT JOIN core.carts o ON o.channel_id = c.id AND o.external_id = n.external_id
