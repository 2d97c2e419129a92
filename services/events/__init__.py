"""Events: what takes place, when, where, and who runs it."""
