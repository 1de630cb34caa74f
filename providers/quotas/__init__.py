"""Quotas of single keys, people and teams, and the tokens that they have used today."""
