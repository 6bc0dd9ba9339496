"""Jobs at a provider, and the wait for their end."""
