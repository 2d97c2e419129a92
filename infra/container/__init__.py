"""What only containers need: their secrets and their health."""
