-- Every forecast of a day that is over on its channel, beside what was sold. A day the series sold nothing is 0.
-- Days without anything sellable are told apart by the last known stock at their end and start.
WITH sold AS (
    SELECT channel_id, product_id, order_date, sum(units)::bigint AS units
    FROM core.sales_events
    WHERE order_date >= %(first)s AND order_date < %(after)s AND product_id IS NOT NULL
      AND kind <> 'replacement'
    GROUP BY 1, 2, 3
)
SELECT f.forecast_date AS date, f.channel_id, f.product_id, f.model_type, f.generated_at,
       f.forecast_date - (f.generated_at AT TIME ZONE c.timezone)::date AS horizon_days,
       coalesce(s.units, 0) AS units, coalesce(s.units, 0) > 0 OR stock.in_stock AS in_stock, f.predicted_units,
       abs(coalesce(s.units, 0) - f.predicted_units) AS absolute_error,
       coalesce(s.units, 0) BETWEEN f.lower_80 AND f.upper_80 AS in_80,
       coalesce(s.units, 0) BETWEEN f.lower_95 AND f.upper_95 AS in_95
FROM core.forecasts f
JOIN core.channels c ON c.id = f.channel_id
JOIN ops.observations o ON o.channel_id = f.channel_id AND o.resource = 'orders'
LEFT JOIN sold s
  ON s.channel_id = f.channel_id AND s.product_id = f.product_id AND s.order_date = f.forecast_date
CROSS JOIN LATERAL (
    SELECT coalesce(sum(last.quantity_available) > 0, true) AS in_stock
    FROM (
        SELECT DISTINCT ON (h.warehouse_location) greatest(h.quantity_available, 0) AS quantity_available
        FROM core.inventory_history h
        WHERE h.product_id = f.product_id AND h.channel_id = f.channel_id
          AND h.observed_at < ((f.forecast_date + 1)::timestamp AT TIME ZONE c.timezone)
        ORDER BY h.warehouse_location, h.observed_at DESC, h.id DESC
    ) last
) stock
WHERE f.forecast_date >= %(first)s AND f.forecast_date < %(after)s
  AND f.forecast_date < (o.observed_at AT TIME ZONE c.timezone)::date
  AND f.forecast_date >= (f.generated_at AT TIME ZONE c.timezone)::date
ORDER BY f.model_type, f.channel_id, f.product_id, f.forecast_date
