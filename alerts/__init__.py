"""What deserves a message, and sending it. Frames in, messages out; only `dispatch` and the senders do I/O.

findings = rules.stock_alerts(position, now, settings.thresholds())           # + demand_rules, data_rules
findings = replace(findings, alerts=charts.attach(findings.alerts, history, forecast, now.date()))
outcome = episodes.step([Episode.from_row(row) for row in open_rows], findings, now)
planned = plan.plan(outcome.transitions, settings.routes(), now, settings.linker())
# store outcome.transitions and planned.messages in one transaction; planned.unsent says who hears nothing
results = dispatch.deliver(claimed_rows, senders_for(settings, clock), now, resolved=..., health=...)
# store each result: state, provider_id, error, retry_at, suppress, and the message that takes over
"""
