-- Places a complete, trusted snapshot no longer names hold nothing. Their own clock stays, so that they can
-- come back with the version they had.
INSERT INTO t_stock
SELECT i.product_id, i.channel_id, i.warehouse_location, 0, 0, 0, 0, 0, i.source_updated_at, true
FROM core.inventory i
WHERE i.channel_id = ANY (:channels) AND i.absent_since IS NULL
  AND NOT EXISTS (
      SELECT FROM t_stock n
      WHERE n.product_id = i.product_id AND n.channel_id = i.channel_id
        AND n.warehouse_location = i.warehouse_location
  )
