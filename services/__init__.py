"""Accounts, events, tickets and notifications: four services that talk by messages."""
