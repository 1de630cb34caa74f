"""A run belongs to the server: started, followed, stopped here, whoever watches."""

from conversations.runs.book import RunRefused, owned_by
from conversations.runs.desk import Desk

__all__ = ["Desk", "RunRefused", "owned_by"]
