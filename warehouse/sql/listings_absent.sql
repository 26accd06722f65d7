-- A catalogue that names less than half of what is offered is doubted: nothing is retired on its word.
WITH named AS (
    SELECT DISTINCT c.id AS channel_id, s.external_id
    FROM staging."{load}__products" s
    JOIN core.channels c ON c.name = s.channel
),
trusted AS (
    SELECT k.channel_id
    FROM core.channel_products k
    LEFT JOIN named n ON n.channel_id = k.channel_id AND n.external_id = k.external_id
    WHERE k.channel_id = ANY (:channels) AND k.is_active AND NOT k.is_stub
    GROUP BY k.channel_id
    HAVING count(n.external_id) > 0 AND count(n.external_id) * 2 >= count(*)
)
UPDATE core.channel_products k
SET is_active = false
WHERE k.channel_id IN (SELECT channel_id FROM trusted) AND k.is_active AND NOT k.is_stub
  AND NOT EXISTS (
      SELECT FROM named n WHERE n.channel_id = k.channel_id AND n.external_id = k.external_id
  )
