"""Whole ways through `/v1`: a real server process, a real Postgres, the official SDK."""
