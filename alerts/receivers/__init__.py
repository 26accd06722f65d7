"""Local stand-ins for SendGrid, Twilio, Slack and a merchant's webhook, speaking the providers' HTTP.

For the demo and the tests: they validate as the providers do, keep every message on disk where a person can
look at it, and fail on request. Nothing leaves this machine.
"""
