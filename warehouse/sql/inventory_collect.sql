-- What the source says of each place, SKUs that mean one product added up.
CREATE TEMP TABLE t_stock ON COMMIT DROP AS
WITH newest AS (
    SELECT DISTINCT ON (s.channel, coalesce(s.sku, ''), coalesce(s.external_id, ''),
                        coalesce(s.warehouse_location, '')) s.*
    FROM staging."{load}__inventory" s
    ORDER BY s.channel, coalesce(s.sku, ''), coalesce(s.external_id, ''), coalesce(s.warehouse_location, ''),
             s.source_updated_at DESC NULLS LAST, s.seq DESC, s.quantity_available
)
SELECT p.product_id, c.id AS channel_id, coalesce(n.warehouse_location, '') AS warehouse_location,
       sum(n.quantity_available)::bigint AS quantity_available,
       sum(n.quantity_reserved)::bigint AS quantity_reserved, sum(n.quantity_inbound)::bigint AS quantity_inbound,
       sum(n.quantity_on_hand)::bigint AS quantity_on_hand,
       sum(n.quantity_unavailable)::bigint AS quantity_unavailable,
       coalesce(max(n.source_updated_at), CAST(:until AS timestamptz)) AS source_updated_at, false AS is_absent
FROM newest n
JOIN core.channels c ON c.name = n.channel
JOIN t_product_of p
  ON p.channel_id = c.id AND p.sku = coalesce(n.sku, '') AND p.external_id = coalesce(n.external_id, '')
WHERE n.quantity_available IS NOT NULL
GROUP BY 1, 2, 3
