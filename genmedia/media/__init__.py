"""Pictures, videos and models: what a file is, whether it is sound, and what can be made of it."""
