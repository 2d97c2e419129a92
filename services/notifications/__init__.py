"""Reminds everyone who holds a ticket: once, in time, whatever breaks."""
