"""A campaign as one file: what to make, of which rows, within which budget."""
