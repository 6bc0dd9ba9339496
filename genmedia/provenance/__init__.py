"""Where everything in a store came from: its sidecars, read; their lineage; the journal and a list of files made from them."""
