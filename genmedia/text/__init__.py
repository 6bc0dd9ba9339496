"""Makes text from others safe to show."""
