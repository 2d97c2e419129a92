"""Runs the whole system on one machine, with an embedded PostgreSQL, Redis and inbox."""
