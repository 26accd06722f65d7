-- What is a customer worth, by the month of the first purchase, and how many came back?
SELECT cohort_month,
       currency,
       count() AS customers,
       countIf(total_orders > 1) AS came_back,
       sum(lifetime_value) AS value_so_far,
       round(toFloat64(sum(lifetime_value)) / count(), 2) AS value_a_customer
FROM analytics.customer_cohorts
GROUP BY cohort_month, currency
ORDER BY cohort_month DESC, currency
