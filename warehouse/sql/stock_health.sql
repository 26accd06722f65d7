SELECT i.product_id, i.channel_id, clock_timestamp() AS as_of,
       (clock_timestamp() AT TIME ZONE c.timezone)::date AS today,
       sum(greatest(i.quantity_available, 0))::bigint AS quantity_available,
       coalesce(sum(i.quantity_reserved), 0)::bigint AS quantity_reserved,
       coalesce(sum(i.quantity_inbound), 0)::bigint AS quantity_inbound, max(i.reorder_point) AS reorder_point,
       coalesce(max(s.units), 0)::bigint AS units_sold_28d
FROM core.inventory i
JOIN core.channels c ON c.id = i.channel_id
LEFT JOIN (
    SELECT e.channel_id, e.product_id, sum(e.units) AS units
    FROM core.sales_events e
    JOIN core.channels k ON k.id = e.channel_id
    WHERE e.order_date < (clock_timestamp() AT TIME ZONE k.timezone)::date
      AND e.order_date >= (clock_timestamp() AT TIME ZONE k.timezone)::date - %(days)s
    GROUP BY 1, 2
) s ON s.channel_id = i.channel_id AND s.product_id = i.product_id
GROUP BY i.product_id, i.channel_id, c.timezone
ORDER BY 1, 2
