"""The public address of DicoEvent: one door in front of four services."""
