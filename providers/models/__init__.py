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
from providers.models.spending import Budget, BudgetWindow, Entry, Period, Reservation, Scope

__all__ = [
    "Budget",
    "BudgetWindow",
    "Credential",
    "Deployment",
    "Entry",
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
    "TeamRole",
    "User",
    "VirtualKey",
]
