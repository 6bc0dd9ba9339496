"""Getting the project onto a Prefect server: block types, blocks, the work pool. Schedules stand in prefect.yaml."""
