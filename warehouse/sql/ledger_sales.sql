-- Orders never seen before have no events yet: their lines as sold are recorded straight from what was just collected,
-- whose size the planner knows. Most lines have nothing else; what else happened to some is ledger_new's.
WITH recorded_now AS (
    INSERT INTO core.sales_events (
        order_id, line_id, channel_id, product_id, kind, reference, happened_at, happened_date, order_date,
        currency, units, gross_amount, discount_amount, net_amount, refunded_units, refunded_amount,
        refunded_net_amount, run_id, recorded_at
    )
    SELECT l.order_id, l.line_id, l.channel_id, l.product_id, 'sale', '', l.ordered_at, l.order_date, l.order_date,
           l.currency, l.units, l.gross, l.discount, l.net, 0, 0, 0, :run_id, transaction_timestamp()
    FROM (
        {line_sales}
    ) l
    WHERE NOT l.is_replacement AND (l.units <> 0 OR l.gross <> 0 OR l.discount <> 0 OR l.net <> 0)
    RETURNING order_id, channel_id, kind, happened_date, order_date, currency, units, net_amount,
              refunded_net_amount
)
{days}
