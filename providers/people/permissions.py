"""Who may do what: one table of roles, one table of addresses; what is in neither is refused."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from providers.models import OrganisationRole, TeamRole


class Capability(StrEnum):
    """What an address asks for. The first three are about the caller, the others about a role.

    `OWN_AUTH`: the view checks a bearer key or a token itself.
    """

    PUBLIC = "be anybody"
    OWN_AUTH = "show a key or token"
    SIGNED_IN = "be signed in"
    SEE_OWN_USE = "see own use and cost"
    RUN_PROMPTS = "run prompts"
    HOLD_KEYS = "hold API keys"
    HOLD_CREDENTIALS = "keep keys of providers here"
    SEE_SETTINGS = "see settings"
    SEE_TEAM_COSTS = "see the costs of the team"
    SEE_BUDGETS = "see the budgets of the team"
    MANAGE_MEMBERS = "manage the members of the team"
    MANAGE_POLICY = "set the policy of the team"
    MANAGE_TEAM_KEYS = "manage the API keys of the team"
    MANAGE_TEAM_CREDENTIALS = "keep the provider keys of the team"
    MANAGE_TEAM_TOOLS = "manage the tools of the team"
    MANAGE_TOOLS = "manage the tools that run here"
    MANAGE_CACHE = "see and purge the cached answers of the team"
    SEE_HEALTH = "see the health of providers"
    STEER_HEALTH = "set levels and breakers by hand"
    MANAGE_PROVIDERS = "manage providers and their keys"
    MANAGE_ROUTES = "manage routes and prices"
    SEE_CONFIGURATION = "see the configuration of the installation"
    SEE_ALL_COSTS = "see the costs of every team"
    MANAGE_BUDGETS = "set budgets"
    MAKE_STATEMENTS = "make statements of months"
    MANAGE_PEOPLE = "manage teams and everybody's roles"
    SEE_AUDIT = "read the audit log"
    USE_ADMIN = "use the database admin"


C = Capability

_VIEWER = frozenset({C.SIGNED_IN, C.SEE_OWN_USE})
_MEMBER = _VIEWER | {C.RUN_PROMPTS, C.HOLD_KEYS, C.HOLD_CREDENTIALS, C.SEE_SETTINGS}
_ADMIN = _MEMBER | {
    C.SEE_TEAM_COSTS,
    C.SEE_BUDGETS,
    C.MANAGE_MEMBERS,
    C.MANAGE_TEAM_KEYS,
    C.MANAGE_POLICY,
    C.MANAGE_TEAM_CREDENTIALS,
    C.MANAGE_TEAM_TOOLS,
    C.MANAGE_CACHE,
}
_OPERATOR = frozenset({
    C.SIGNED_IN,
    C.SEE_OWN_USE,
    C.SEE_SETTINGS,
    C.SEE_HEALTH,
    C.STEER_HEALTH,
    C.MANAGE_PROVIDERS,
    C.HOLD_CREDENTIALS,
    C.MANAGE_ROUTES,
    C.MANAGE_TEAM_TOOLS,
    C.MANAGE_TOOLS,
    C.SEE_AUDIT,
    C.SEE_CONFIGURATION,
})

TEAM_ROLES: Mapping[str, frozenset[Capability]] = MappingProxyType({
    TeamRole.VIEWER: _VIEWER,
    TeamRole.MEMBER: _MEMBER,
    TeamRole.ADMIN: _ADMIN,
})
"""What a role gives in the team where it is held."""

ORGANISATION_ROLES: Mapping[str, frozenset[Capability]] = MappingProxyType({
    OrganisationRole.NONE: frozenset({C.SIGNED_IN}),
    OrganisationRole.OPERATOR: _OPERATOR,
    OrganisationRole.OWNER: frozenset(Capability),
})
"""What a role gives whichever team is active; it adds to the team's."""

ADDRESSES: Mapping[str, Capability] = MappingProxyType({
    "home": C.PUBLIC,
    "metrics": C.OWN_AUTH,
    # sign-in
    "account_login": C.PUBLIC,
    "account_logout": C.PUBLIC,
    "account_inactive": C.PUBLIC,
    "account_change_password": C.SIGNED_IN,
    "providers:invitation": C.PUBLIC,
    "providers:choose_team": C.SIGNED_IN,
    # set-up
    "providers:setup_needed": C.PUBLIC,
    "providers:setup": C.PUBLIC,
    "providers:setup_provider": C.MANAGE_PROVIDERS,
    "providers:setup_budget": C.MANAGE_BUDGETS,
    # playground
    "conversations:playground": C.RUN_PROMPTS,
    "conversations:history": C.RUN_PROMPTS,
    "conversations:budget": C.RUN_PROMPTS,
    "conversations:run": C.RUN_PROMPTS,
    "conversations:attachment": C.RUN_PROMPTS,
    "conversations:message": C.RUN_PROMPTS,
    "conversations:thread": C.RUN_PROMPTS,
    "conversations:earlier": C.RUN_PROMPTS,
    "conversations:run_in": C.RUN_PROMPTS,
    "conversations:retry": C.RUN_PROMPTS,
    "conversations:rename": C.RUN_PROMPTS,
    "conversations:delete": C.RUN_PROMPTS,
    "conversations:restore": C.RUN_PROMPTS,
    "conversations:events": C.RUN_PROMPTS,
    "conversations:stop": C.RUN_PROMPTS,
    "conversations:batches": C.RUN_PROMPTS,
    "conversations:batch_new": C.RUN_PROMPTS,
    "conversations:batch": C.RUN_PROMPTS,
    "conversations:batch_progress": C.RUN_PROMPTS,
    "conversations:batch_csv": C.RUN_PROMPTS,
    "conversations:batch_jsonl": C.RUN_PROMPTS,
    "conversations:batch_start": C.RUN_PROMPTS,
    "conversations:batch_cancel": C.RUN_PROMPTS,
    "conversations:batch_retry": C.RUN_PROMPTS,
    "conversations:batch_delete": C.RUN_PROMPTS,
    # pages
    "providers:costs": C.SEE_OWN_USE,
    "providers:costs_csv": C.SEE_OWN_USE,
    "providers:costs_focus": C.SEE_OWN_USE,
    "providers:costs_json": C.SEE_OWN_USE,
    "providers:costs_dearest": C.SEE_OWN_USE,
    "providers:statements": C.SEE_TEAM_COSTS,
    "providers:statement_make": C.MAKE_STATEMENTS,
    "providers:statement": C.SEE_TEAM_COSTS,
    "providers:statement_csv": C.SEE_TEAM_COSTS,
    "providers:receipt": C.SEE_OWN_USE,
    "providers:health": C.SEE_HEALTH,
    "providers:health_board": C.SEE_HEALTH,
    "providers:health_pill": C.SIGNED_IN,
    "providers:health_test": C.SEE_HEALTH,
    "providers:level_banner": C.SIGNED_IN,
    "providers:level_set": C.STEER_HEALTH,
    "providers:level_end": C.STEER_HEALTH,
    "providers:breaker_order": C.STEER_HEALTH,
    "providers:breaker_end": C.STEER_HEALTH,
    # scripts
    "providers:api_docs": C.SIGNED_IN,
    "api:openapi-json": C.PUBLIC,
    "api:api-root": C.SIGNED_IN,
    "api:me": C.OWN_AUTH,
    "api:usage": C.OWN_AUTH,
    "api:budgets": C.OWN_AUTH,
    "api:health": C.OWN_AUTH,
    "api:answers": C.OWN_AUTH,
    "api:tools": C.OWN_AUTH,
    # settings
    "providers:settings": C.SEE_SETTINGS,
    "providers:providers": C.MANAGE_PROVIDERS,
    "providers:provider_new": C.MANAGE_PROVIDERS,
    "providers:provider_test": C.MANAGE_PROVIDERS,
    "providers:provider": C.MANAGE_PROVIDERS,
    "providers:provider_check": C.MANAGE_PROVIDERS,
    "providers:provider_switch": C.MANAGE_PROVIDERS,
    "providers:provider_faults": C.MANAGE_PROVIDERS,
    "providers:provider_remove": C.MANAGE_PROVIDERS,
    "providers:routes": C.MANAGE_ROUTES,
    "providers:route_new": C.MANAGE_ROUTES,
    "providers:route": C.MANAGE_ROUTES,
    "providers:route_switch": C.MANAGE_ROUTES,
    "providers:route_remove": C.MANAGE_ROUTES,
    "providers:prices": C.MANAGE_ROUTES,
    "providers:price": C.MANAGE_ROUTES,
    "providers:price_end": C.MANAGE_ROUTES,
    "providers:budgets": C.SEE_SETTINGS,
    "providers:budget_explained": C.SEE_SETTINGS,
    "providers:budget_new": C.MANAGE_BUDGETS,
    "providers:budget": C.MANAGE_BUDGETS,
    "providers:budget_remove": C.MANAGE_BUDGETS,
    "providers:quota_new": C.MANAGE_BUDGETS,
    "providers:quota": C.MANAGE_BUDGETS,
    "providers:budget_alert_put_away": C.SEE_SETTINGS,
    "providers:tools": C.MANAGE_TEAM_TOOLS,
    "providers:tool_new_https": C.MANAGE_TOOLS,
    "providers:tool_new_mock": C.MANAGE_TOOLS,
    "providers:tool_new_rows": C.MANAGE_TEAM_TOOLS,
    "providers:tool": C.MANAGE_TEAM_TOOLS,
    "providers:tool_test": C.MANAGE_TEAM_TOOLS,
    "providers:tool_switch": C.MANAGE_TEAM_TOOLS,
    "providers:tool_remove": C.MANAGE_TEAM_TOOLS,
    "providers:keys": C.HOLD_KEYS,
    "providers:key_issue": C.HOLD_KEYS,
    "providers:key_rotate": C.HOLD_KEYS,
    "providers:key_revoke": C.HOLD_KEYS,
    "providers:credentials": C.HOLD_CREDENTIALS,
    "providers:credential_new": C.HOLD_CREDENTIALS,
    "providers:credential": C.HOLD_CREDENTIALS,
    "providers:credential_rotate": C.HOLD_CREDENTIALS,
    "providers:credential_revoke": C.HOLD_CREDENTIALS,
    "providers:policies": C.MANAGE_POLICY,
    "providers:policy_try": C.MANAGE_POLICY,
    "providers:cache": C.MANAGE_CACHE,
    "providers:cache_purge": C.MANAGE_CACHE,
    "providers:members": C.MANAGE_MEMBERS,
    "providers:member_invite": C.MANAGE_MEMBERS,
    "providers:member_role": C.MANAGE_MEMBERS,
    "providers:member_remove": C.MANAGE_MEMBERS,
    "providers:member_link": C.MANAGE_MEMBERS,
    "providers:team_new": C.MANAGE_PEOPLE,
    "providers:team_rename": C.MANAGE_PEOPLE,
    "providers:audit": C.SEE_AUDIT,
    "providers:audit_csv": C.SEE_AUDIT,
    "providers:audit_chain": C.SEE_AUDIT,
    "providers:configuration": C.SEE_CONFIGURATION,
    # Django's own admin
    "admin:*": C.USE_ADMIN,
})
"""Each address by its name; a whole namespace by `name:*`, only where all of it is for owners."""


def required(view_name: str) -> Capability | None:
    """Look up what an address asks for; None: it is not in the table and nobody may."""
    if view_name in ADDRESSES:
        return ADDRESSES[view_name]
    namespace, _, name = view_name.rpartition(":")
    return ADDRESSES.get(f"{namespace}:*") if namespace and name else None


def capabilities(organisation_role: str, team_role: str | None) -> frozenset[Capability]:
    """Add up what somebody may do; `team_role` None: not a member of the active team."""
    in_team = TEAM_ROLES[team_role] if team_role else frozenset()
    return ORGANISATION_ROLES[organisation_role] | in_team


def who_may(capability: Capability) -> str:
    """Name the roles that have it, for people who ask whom to turn to."""
    roles = [TeamRole(role).label for role, may in TEAM_ROLES.items() if capability in may]
    roles += [
        OrganisationRole(role).label
        for role, may in ORGANISATION_ROLES.items()
        if role and capability in may
    ]
    return ", ".join(roles)
