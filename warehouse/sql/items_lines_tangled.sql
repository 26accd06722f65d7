-- The lines of the chosen version of each order: those of its own page, else the newest page that has any.
bare AS (  -- orders whose page brought no lines
    SELECT p.*
    FROM parents p
    WHERE NOT EXISTS (
        SELECT FROM staging."{load}__order_items" i
        WHERE i.channel = p.channel AND i.order_external_id = p.external_id AND i.seq = p.seq
    )
),
elsewhere AS (
    SELECT b.order_id, b.channel_id, b.channel, b.external_id, max(i.seq) AS seq, b.is_new
    FROM bare b
    JOIN staging."{load}__order_items" i ON i.channel = b.channel AND i.order_external_id = b.external_id
    GROUP BY b.order_id, b.channel_id, b.channel, b.external_id, b.is_new
),
chosen AS (
    SELECT order_id, channel_id, channel, external_id, seq, is_new FROM parents
    UNION ALL
    SELECT order_id, channel_id, channel, external_id, seq, is_new FROM elsewhere
),
lines AS (
    SELECT DISTINCT ON (h.order_id, i.line_id COLLATE "C") h.order_id, h.is_new, h.channel_id, i.*
    FROM chosen h
    JOIN staging."{load}__order_items" i
      ON i.channel = h.channel AND i.order_external_id = h.external_id AND i.seq = h.seq
    ORDER BY h.order_id, i.line_id COLLATE "C", i.quantity DESC, i.total DESC NULLS LAST, i.sku
)