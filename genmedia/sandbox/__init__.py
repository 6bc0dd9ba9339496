"""A local server of the four providers: real pictures, real rules, scripted faults, no key and no network."""
