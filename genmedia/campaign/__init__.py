"""Campaigns of steps that feed each other: the form that a person writes, the plan, the handing on of outputs, and the run of the plan."""
