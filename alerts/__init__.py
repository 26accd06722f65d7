"""What deserves a message, and sending it."""
