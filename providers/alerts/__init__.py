"""Thresholds of budgets, each told once in a window: on pages, by e-mail, by a webhook."""
