-- Channels whose complete snapshot says so little that it is rather an outage than a sold-out shop: nothing
-- in stock although something was, or more than half of at least ten stocked places gone at once. `answer`: what it
-- says, to hold a second reading against.
SELECT c.id, c.name, s.answer
FROM core.channels c
JOIN LATERAL (
    SELECT count(*) AS before,
           count(*) FILTER (
               WHERE EXISTS (
                   SELECT FROM t_stock n
                   WHERE n.product_id = i.product_id AND n.channel_id = i.channel_id
                     AND n.warehouse_location = i.warehouse_location AND n.quantity_available > 0
               )
           ) AS still
    FROM core.inventory i
    WHERE i.channel_id = c.id AND i.quantity_available > 0
) k ON true
JOIN LATERAL (
    SELECT count(*) FILTER (WHERE n.quantity_available > 0) AS positive,
           md5(coalesce(string_agg(
               concat_ws('|', n.product_id, n.warehouse_location, n.quantity_available), E'\n'
               ORDER BY n.product_id, n.warehouse_location
           ), '')) AS answer
    FROM t_stock n
    WHERE n.channel_id = c.id
) s ON true
WHERE c.id = ANY (:channels)
  AND k.before > 0
  AND (s.positive = 0 OR (k.before >= 10 AND k.still * 2 < k.before AND s.positive * 2 < k.before))
