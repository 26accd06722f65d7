-- Lines of orders that were not staged now, but whose refunds were.
WITH refunded AS (
    SELECT o.id AS order_id, r.order_line_id AS line_id, sum(r.quantity)::bigint AS quantity, sum(r.amount) AS amount,
           sum(r.net_amount) AS net_amount
    FROM core.orders o
    JOIN core.refunds r ON r.channel_id = o.channel_id AND r.order_external_id = o.external_id
    WHERE o.id = ANY (:orders) AND r.order_line_id <> ''
    GROUP BY 1, 2
)
UPDATE core.order_items i
SET refunded_quantity = greatest(i.stated_refunded_quantity, r.quantity, 0),
    refunded_amount = greatest(i.stated_refunded_amount, r.amount),
    refunded_net_amount = greatest(i.stated_refunded_net_amount, r.net_amount)
FROM refunded r
WHERE i.order_id = r.order_id AND i.line_id = r.line_id
  AND (i.refunded_quantity, i.refunded_amount, i.refunded_net_amount)
      IS DISTINCT FROM
      (greatest(i.stated_refunded_quantity, r.quantity, 0), greatest(i.stated_refunded_amount, r.amount),
       greatest(i.stated_refunded_net_amount, r.net_amount))
