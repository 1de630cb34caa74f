"""Tables by subject."""

from providers.models.catalog import Deployment, Price, Provider, Route, RouteTarget
from providers.models.health import Probe
from providers.models.keys import Credential, VirtualKey
from providers.models.people import (
    Membership,
    Organisation,
    OrganisationRole,
    SetupLink,
    Team,
    TeamRole,
    User,
)
from providers.models.policies import FilterMode, TeamPolicy
from providers.models.spending import Budget, BudgetWindow, Entry, Period, Reservation, Scope

__all__ = [
    "Budget",
    "BudgetWindow",
    "Credential",
    "Deployment",
    "Entry",
    "FilterMode",
    "Membership",
    "Organisation",
    "OrganisationRole",
    "Period",
    "Price",
    "Probe",
    "Provider",
    "Reservation",
    "Route",
    "RouteTarget",
    "Scope",
    "SetupLink",
    "Team",
    "TeamPolicy",
    "TeamRole",
    "User",
    "VirtualKey",
]
