"""Statements: what each team spent in a month, numbered and frozen."""
