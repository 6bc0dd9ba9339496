"""fal as a provider of genmedia."""
