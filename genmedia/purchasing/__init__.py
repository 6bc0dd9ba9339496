"""One purchase, from the order to the stored file."""
