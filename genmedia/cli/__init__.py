"""The command line `genmedia`; what needs the project's rooms finds them at run time."""
