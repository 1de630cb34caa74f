"""Budgets that are never overspent: hold the worst case, book the real cost, lose nothing."""
