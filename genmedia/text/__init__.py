"""Text that came from somebody else, made fit to be shown."""
