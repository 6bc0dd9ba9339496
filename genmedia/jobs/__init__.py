"""What runs at a provider, and how its end is waited for."""
