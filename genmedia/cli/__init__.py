"""The command line `genmedia`; it loads the project's flows, tasks, blocks and deployments at run time."""
