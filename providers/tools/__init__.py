"""Hosted tools: which there are, and who may use which."""
