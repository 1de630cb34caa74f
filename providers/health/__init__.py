"""How deployments fare."""
