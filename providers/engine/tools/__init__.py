"""Tools that run here while a model answers, and how they are run."""

from providers.engine.tools.hosted import HostedTool, ToolFailed, typed
from providers.engine.tools.runner import Ran, Runner, ToolStatus

__all__ = ["HostedTool", "Ran", "Runner", "ToolFailed", "ToolStatus", "typed"]
