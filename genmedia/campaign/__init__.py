"""Steps that feed each other: what a person writes, the plan it comes to, how outputs are handed on, and how the plan is run."""
