-- Stock that changed, and its history. Whether it changed is told by the quantities alone: some sources have no update
-- clock, and the instant of a reading is no change.
WITH changed AS (
    INSERT INTO core.inventory AS k (
        product_id, channel_id, warehouse_location, quantity_available, quantity_reserved, quantity_inbound,
        quantity_on_hand, quantity_unavailable, source_updated_at, absent_since, run_id
    )
    SELECT n.product_id, n.channel_id, n.warehouse_location, n.quantity_available, n.quantity_reserved,
           n.quantity_inbound, n.quantity_on_hand, n.quantity_unavailable, n.source_updated_at, n.absent_since,
           :run_id
    FROM (SELECT s.*, CASE WHEN s.is_absent THEN CAST(:until AS timestamptz) END AS absent_since FROM t_stock s) n
    LEFT JOIN core.inventory o
      ON o.product_id = n.product_id AND o.channel_id = n.channel_id
     AND o.warehouse_location = n.warehouse_location
    WHERE o.id IS NULL
       OR (
           (o.source_updated_at IS NULL OR n.source_updated_at >= o.source_updated_at)
           AND (o.quantity_available, o.quantity_reserved, o.quantity_inbound, o.quantity_on_hand,
                o.quantity_unavailable, o.absent_since)
               IS DISTINCT FROM
               (n.quantity_available, n.quantity_reserved, n.quantity_inbound, n.quantity_on_hand,
                n.quantity_unavailable, n.absent_since)
       )
    ORDER BY n.product_id, n.channel_id, n.warehouse_location
    ON CONFLICT (product_id, channel_id, warehouse_location) DO UPDATE SET
        quantity_available = EXCLUDED.quantity_available, quantity_reserved = EXCLUDED.quantity_reserved,
        quantity_inbound = EXCLUDED.quantity_inbound, quantity_on_hand = EXCLUDED.quantity_on_hand,
        quantity_unavailable = EXCLUDED.quantity_unavailable, source_updated_at = EXCLUDED.source_updated_at,
        absent_since = EXCLUDED.absent_since, run_id = EXCLUDED.run_id
    WHERE k.source_updated_at IS NULL OR EXCLUDED.source_updated_at >= k.source_updated_at
    RETURNING k.*, (xmax = 0) AS inserted
),
-- The statement sees core.inventory_history as it was, so `last` is the state before this change.
history AS (
    INSERT INTO core.inventory_history (
        product_id, channel_id, warehouse_location, quantity_available, quantity_reserved, quantity_inbound,
        source_updated_at, observed_at, run_id
    )
    SELECT c.product_id, c.channel_id, c.warehouse_location, c.quantity_available, c.quantity_reserved,
           c.quantity_inbound, c.source_updated_at, CAST(:until AS timestamptz), :run_id
    FROM changed c
    LEFT JOIN LATERAL (
        SELECT h.quantity_available, h.quantity_reserved, h.quantity_inbound
        FROM core.inventory_history h
        WHERE h.product_id = c.product_id AND h.channel_id = c.channel_id
          AND h.warehouse_location = c.warehouse_location
        ORDER BY h.observed_at DESC, h.id DESC
        LIMIT 1
    ) last ON true
    WHERE c.inserted
       OR (last.quantity_available, last.quantity_reserved, last.quantity_inbound)
          IS DISTINCT FROM (c.quantity_available, c.quantity_reserved, c.quantity_inbound)
    RETURNING 1
)
SELECT inserted FROM changed
