"""What at least two services use and no service owns."""
