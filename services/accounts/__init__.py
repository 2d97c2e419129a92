"""Users, their roles and passwords, and the tokens that say who calls."""
