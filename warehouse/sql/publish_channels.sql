SELECT id AS channel_id, name, platform, account, currency, timezone, is_active, last_sync_at
FROM core.channels ORDER BY id
