"""Forms that people fill in: their fields, names and prompts, and the messages about faults."""
