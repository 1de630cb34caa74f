"""Tables by subject."""

from providers.models.alerts import AlertMessage, BudgetAlert, Channel
from providers.models.audit import AuditEntry
from providers.models.cache import CachedAnswer, CachePurge, KeptReply
from providers.models.catalog import Deployment, Price, PriceVersion, Provider, Route, RouteTarget
from providers.models.health import (
    BreakerChange,
    BreakerOrder,
    HealthScore,
    HealthState,
    Level,
    LevelChange,
    LevelOverride,
    Probe,
)
from providers.models.keys import Credential, CredentialUse, VirtualKey
from providers.models.people import (
    Membership,
    Organisation,
    OrganisationRole,
    SetupLink,
    Team,
    TeamRole,
    User,
)
from providers.models.policies import AfterHangUp, FilterMode, TeamPolicy
from providers.models.processes import RunningProcess
from providers.models.quotas import Quota
from providers.models.spending import (
    THRESHOLDS,
    Budget,
    BudgetWindow,
    Entry,
    Period,
    Reservation,
    Scope,
)
from providers.models.statements import Statement, StatementLine
from providers.models.sums import SpendDay, SpendFold, SpendGroup, SpendQuarter
from providers.models.tools import Tool, ToolKind, ToolRow

__all__ = [
    "THRESHOLDS",
    "AfterHangUp",
    "AlertMessage",
    "AuditEntry",
    "BreakerChange",
    "BreakerOrder",
    "Budget",
    "BudgetAlert",
    "BudgetWindow",
    "CachePurge",
    "CachedAnswer",
    "Channel",
    "Credential",
    "CredentialUse",
    "Deployment",
    "Entry",
    "FilterMode",
    "HealthScore",
    "HealthState",
    "KeptReply",
    "Level",
    "LevelChange",
    "LevelOverride",
    "Membership",
    "Organisation",
    "OrganisationRole",
    "Period",
    "Price",
    "PriceVersion",
    "Probe",
    "Provider",
    "Quota",
    "Reservation",
    "Route",
    "RouteTarget",
    "RunningProcess",
    "Scope",
    "SetupLink",
    "SpendDay",
    "SpendFold",
    "SpendGroup",
    "SpendQuarter",
    "Statement",
    "StatementLine",
    "Team",
    "TeamPolicy",
    "TeamRole",
    "Tool",
    "ToolKind",
    "ToolRow",
    "User",
    "VirtualKey",
]
