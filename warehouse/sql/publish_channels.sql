SELECT c.id AS channel_id, c.name, c.platform, c.account, c.currency, c.timezone, c.is_active, c.last_sync_at,
       (o.observed_at AT TIME ZONE c.timezone)::date - 1 AS complete_until
FROM core.channels c
LEFT JOIN ops.observations o ON o.channel_id = c.id AND o.resource = 'orders'
ORDER BY c.id
