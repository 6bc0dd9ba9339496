"""Pictures for people: the page that shows a whole store, models that turn, and contact sheets."""
