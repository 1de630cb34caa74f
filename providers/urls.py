"""Pages of operators, settings and costs, and the REST interface."""

from django.urls import URLPattern, URLResolver, include, path

from providers.rest.docs import api_docs
from providers.views import (
    budget_alerts,
    costs,
    frame_banner,
    health,
    health_orders,
    receipts,
    settings,
    setup,
    sign_in,
    statements,
)
from providers.views.settings import (
    audit,
    budget_edits,
    budgets,
    cache,
    configuration,
    credentials,
    keys,
    members,
    policies,
    prices,
    providers,
    quotas,
    routes,
    tools,
)

app_name = "providers"

_people = [
    path("setup/", sign_in.setup_needed, name="setup_needed"),
    path("setup/provider/", setup.provider, name="setup_provider"),
    path("setup/budget/", setup.guard_rail, name="setup_budget"),
    path("setup/<str:token>/", setup.owner, name="setup"),
    path("invitation/<str:token>/", sign_in.invitation, name="invitation"),
    path("team/", sign_in.choose_team, name="choose_team"),
]

_operator = [
    path("costs/", costs.costs, name="costs"),
    path("costs/attempts.csv", costs.costs_csv, name="costs_csv"),
    path("costs/focus.csv", costs.costs_focus, name="costs_focus"),
    path("costs/focus.json", costs.costs_json, name="costs_json"),
    path("costs/dearest/", costs.costs_dearest, name="costs_dearest"),
    path("costs/statements/", statements.statements, name="statements"),
    path("costs/statements/make/", statements.make, name="statement_make"),
    path("costs/statements/<int:number>/", statements.statement, name="statement"),
    path("costs/statements/<int:number>.csv", statements.as_csv, name="statement_csv"),
    path("receipts/<uuid:receipt_id>/", receipts.receipt, name="receipt"),
    path("health/", health.health, name="health"),
    path("health/board/", health.health_board, name="health_board"),
    path("health/pill/", health.health_pill, name="health_pill"),
    path("health/banner/", frame_banner.level_banner, name="level_banner"),
    path("health/level/", health_orders.set_level, name="level_set"),
    path("health/level/<int:override_id>/end/", health_orders.end_level, name="level_end"),
    path("health/breaker/<int:deployment_id>/", health_orders.order_breaker, name="breaker_order"),
    path("health/breaker/end/<int:order_id>/", health_orders.end_order, name="breaker_end"),
    path("health/test/<int:deployment_id>/", health.health_test, name="health_test"),
]

_members = [
    path("", members.members_page, name="members"),
    path("add/", members.invite, name="member_invite"),
    path("<int:membership_id>/role/", members.change_role, name="member_role"),
    path("<int:membership_id>/remove/", members.remove, name="member_remove"),
    path("<int:membership_id>/link/", members.new_link, name="member_link"),
    path("team/new/", members.new_team, name="team_new"),
    path("team/", members.rename_team, name="team_rename"),
]

_providers = [
    path("", providers.providers_page, name="providers"),
    path("new/", providers.new, name="provider_new"),
    path("test/", providers.test, name="provider_test"),
    path("<int:provider_id>/", providers.edit, name="provider"),
    path("<int:provider_id>/test/", providers.check, name="provider_check"),
    path("<int:provider_id>/switch/", providers.switch, name="provider_switch"),
    path("<int:provider_id>/faults/", providers.switch_faults, name="provider_faults"),
    path("<int:provider_id>/remove/", providers.remove, name="provider_remove"),
]

_routes = [
    path("", routes.routes_page, name="routes"),
    path("new/", routes.new, name="route_new"),
    path("<int:route_id>/", routes.edit, name="route"),
    path("<int:route_id>/switch/", routes.switch, name="route_switch"),
    path("<int:route_id>/remove/", routes.remove, name="route_remove"),
]

_prices = [
    path("", prices.prices_page, name="prices"),
    path("<int:deployment_id>/", prices.edit, name="price"),
    path("end/<int:price_id>/", prices.end, name="price_end"),
]

_budgets = [
    path("", budgets.budgets_page, name="budgets"),
    path("new/", budget_edits.new, name="budget_new"),
    path("<int:budget_id>/", budget_edits.edit, name="budget"),
    path("alerts/<int:alert_id>/put-away/", budget_alerts.put_away, name="budget_alert_put_away"),
    path("<int:budget_id>/explained/", budgets.explained, name="budget_explained"),
    path("quotas/new/", quotas.new, name="quota_new"),
    path("quotas/<int:quota_id>/", quotas.edit, name="quota"),
    path("<int:budget_id>/remove/", budget_edits.remove, name="budget_remove"),
]

_tools = [
    path("", tools.tools_page, name="tools"),
    path("new/https/", tools.new_https, name="tool_new_https"),
    path("new/mock/", tools.new_mock, name="tool_new_mock"),
    path("new/rows/", tools.new_rows, name="tool_new_rows"),
    path("<int:tool_id>/", tools.edit, name="tool"),
    path("<int:tool_id>/test/", tools.test, name="tool_test"),
    path("<int:tool_id>/switch/", tools.switch, name="tool_switch"),
    path("<int:tool_id>/remove/", tools.remove, name="tool_remove"),
]

_keys = [
    path("", keys.keys_page, name="keys"),
    path("new/", keys.issue, name="key_issue"),
    path("<int:key_id>/rotate/", keys.rotate, name="key_rotate"),
    path("<int:key_id>/revoke/", keys.revoke, name="key_revoke"),
]

_policies = [
    path("", policies.policies_page, name="policies"),
    path("try/", policies.try_policy, name="policy_try"),
]

_credentials = [
    path("", credentials.credentials_page, name="credentials"),
    path("new/", credentials.new, name="credential_new"),
    path("<int:credential_id>/", credentials.edit, name="credential"),
    path("<int:credential_id>/rotate/", credentials.rotate, name="credential_rotate"),
    path("<int:credential_id>/revoke/", credentials.revoke, name="credential_revoke"),
]

_audit = [
    path("", audit.audit_page, name="audit"),
    path("entries.csv", audit.audit_csv, name="audit_csv"),
    path("chain/", audit.audit_chain, name="audit_chain"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    *_people,
    *_operator,
    path("api/v1/docs/", api_docs, name="api_docs"),
    path("settings/", settings.first, name="settings"),
    path("settings/providers/", include(_providers)),
    path("settings/routes/", include(_routes)),
    path("settings/prices/", include(_prices)),
    path("settings/budgets/", include(_budgets)),
    path("settings/tools/", include(_tools)),
    path("settings/keys/", include(_keys)),
    path("settings/policies/", include(_policies)),
    path("settings/cache/", cache.cache_page, name="cache"),
    path("settings/cache/purge/", cache.purge, name="cache_purge"),
    path("settings/members/", include(_members)),
    path("settings/credentials/", include(_credentials)),
    path("settings/audit/", include(_audit)),
    path("settings/configuration/", configuration.configuration, name="configuration"),
]
