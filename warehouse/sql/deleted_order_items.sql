-- What was refunded was refunded; all the rest was taken out.
SELECT c.name AS channel, o.external_id AS order_external_id, i.line_id, i.sku, i.external_id, i.title, i.quantity,
    greatest(i.quantity - i.refunded_quantity, i.cancelled_quantity) AS cancelled_quantity,
    i.stated_refunded_quantity AS refunded_quantity, i.unit_price, i.discount, i.tax, i.total,
    i.stated_refunded_amount AS refunded_amount, i.net_amount,
    i.stated_refunded_net_amount AS refunded_net_amount, i.tax_included, i.is_gift_card
FROM core.order_items i
JOIN core.orders o ON o.id = i.order_id
JOIN core.channels c ON c.id = o.channel_id
WHERE c.name = %(channel)s AND o.external_id = ANY(%(ids)s)
