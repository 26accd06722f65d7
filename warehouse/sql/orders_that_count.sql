SELECT o.external_id
FROM core.orders o
JOIN core.channels c ON c.id = o.channel_id
WHERE c.name = :channel AND o.status <> 'cancelled' AND o.ordered_at >= :since AND o.ordered_at < :until
  AND o.external_id ~ '^[0-9]+$'
ORDER BY o.ordered_at, o.external_id
