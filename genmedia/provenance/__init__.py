"""Provenance of the files in a store: the reading of sidecars, the lineage, and the journal and the manifest made from sidecars."""
