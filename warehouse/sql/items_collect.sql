-- Lines beside what core has, and what to do about them. {lines}: how lines are matched to orders; {refund_lines}:
-- how a refund finds its line.
CREATE TEMP TABLE t_items ON COMMIT DROP AS
WITH parents AS (
    SELECT order_id, channel_id, channel, external_id, seq, action = 'new' AS is_new FROM t_orders
    WHERE action <> 'older'
),
{lines},
given_back AS (
    SELECT r.id, t.order_id, r.line_id, r.quantity, r.amount, r.net_amount, r.refunded_at, r.refund_id
    FROM t_orders t
    JOIN core.refunds r ON r.channel_id = t.channel_id AND r.order_external_id = t.external_id
    WHERE t.action <> 'older' AND r.line_id <> ''
),
named AS (
    SELECT g.* FROM given_back g
    WHERE strpos(g.line_id, '#') > 0
      AND NOT EXISTS (SELECT FROM lines l WHERE l.order_id = g.order_id AND l.line_id = g.line_id)
),
sold AS (
    SELECT l.order_id, l.line_id, coalesce(l.sku, 'asin:' || l.external_id, '?') AS sku,
           coalesce(l.quantity, 0) - coalesce(l.cancelled_quantity, 0) AS room
    FROM lines l
    WHERE l.order_id IN (SELECT order_id FROM named)
),
{refund_lines},
refunded AS (
    SELECT g.order_id, coalesce(p.line_id, g.line_id) AS line_id, sum(g.quantity)::bigint AS quantity,
           sum(g.amount) AS amount, sum(g.net_amount) AS net_amount
    FROM given_back g
    LEFT JOIN placed p ON p.id = g.id
    GROUP BY 1, 2
),
priced AS (
    SELECT l.order_id, l.is_new, l.line_id, p.product_id, l.sku, l.external_id, l.title,
           coalesce(l.quantity, 0) AS quantity, coalesce(l.cancelled_quantity, 0) AS cancelled_quantity,
           greatest(l.refunded_quantity, r.quantity, 0) AS refunded_quantity, l.unit_price, l.discount, l.tax,
           l.total, greatest(l.refunded_amount, r.amount) AS refunded_amount, l.net_amount,
           greatest(l.refunded_net_amount, r.net_amount) AS refunded_net_amount,
           l.refunded_quantity AS stated_refunded_quantity, l.refunded_amount AS stated_refunded_amount,
           l.refunded_net_amount AS stated_refunded_net_amount, coalesce(l.tax_included, false) AS tax_included,
           coalesce(l.is_gift_card, false) AS is_gift_card, r.order_id IS NOT NULL AS has_refunds
    FROM lines l
    LEFT JOIN t_product_of p
      ON p.channel_id = l.channel_id AND p.sku = coalesce(l.sku, '')
     AND p.external_id = coalesce(l.external_id, '')
    LEFT JOIN refunded r ON r.order_id = l.order_id AND r.line_id = l.line_id
)
SELECT n.*,
       CASE
           WHEN o.order_id IS NULL THEN 'new'
           WHEN (o.product_id, o.sku, o.external_id, o.title, o.quantity, o.cancelled_quantity,
                 o.refunded_quantity, o.unit_price, o.discount, o.tax, o.total, o.refunded_amount, o.net_amount,
                 o.refunded_net_amount, o.stated_refunded_quantity, o.stated_refunded_amount,
                 o.stated_refunded_net_amount, o.tax_included, o.is_gift_card)
                IS DISTINCT FROM
                (n.product_id, n.sku, n.external_id, n.title, n.quantity, n.cancelled_quantity,
                 n.refunded_quantity, n.unit_price, n.discount, n.tax, n.total, n.refunded_amount, n.net_amount,
                 n.refunded_net_amount, n.stated_refunded_quantity, n.stated_refunded_amount,
                 n.stated_refunded_net_amount, n.tax_included, n.is_gift_card)
           THEN 'changed'
           ELSE 'same'
       END AS action
FROM priced n
LEFT JOIN core.order_items o ON o.order_id = n.order_id AND o.line_id = n.line_id
