"""Ticket types, and who ordered what; quotas hold whatever the concurrency."""
