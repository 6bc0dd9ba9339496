"""What people write down: fields, names and prompts, and what is said of a fault in them."""
