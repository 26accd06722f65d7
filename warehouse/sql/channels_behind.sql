-- Channels whose own reading ended before the account's watermark: a channel that is read is observed up to it.
SELECT c.name, greatest(coalesce(o.observed_at, :earliest), :earliest) AS read_until
FROM core.channels c
JOIN ops.watermarks w ON w.account = c.account AND w.resource = :resource
LEFT JOIN ops.observations o ON o.channel_id = c.id AND o.resource = w.resource
WHERE c.account = :account AND c.is_active AND coalesce(o.observed_at, 'epoch') < w.read_until
ORDER BY c.name
