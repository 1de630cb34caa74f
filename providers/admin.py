"""Django's admin at `/-/admin/`: the raw tables for superusers, to look at and to break the glass.

Nothing is added or deleted here, and few columns change: budgets, keys and the ledger have laws
that only their own modules keep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import available_timezones

from django import forms
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import models
from django.http import HttpRequest

from providers import audit
from providers.models import (
    AuditEntry,
    BreakerChange,
    BreakerOrder,
    Budget,
    BudgetWindow,
    Credential,
    Deployment,
    Entry,
    HealthScore,
    HealthState,
    LevelChange,
    LevelOverride,
    Membership,
    Organisation,
    Price,
    Probe,
    Provider,
    Reservation,
    Route,
    RouteTarget,
    RunningProcess,
    Team,
    TeamPolicy,
    User,
    VirtualKey,
)

# Generic for the type checker only.
if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
    _OrganisationModelForm = forms.ModelForm[Organisation]
else:
    _ModelAdmin, _OrganisationModelForm = admin.ModelAdmin, forms.ModelForm

_SECRET = {"sealed", "wrapped_key", "digest", "password"}

admin.site.site_header = "GAI Web: raw tables"
admin.site.site_title = "GAI Web"
admin.site.index_title = "To look at; most changes belong on the pages of the product"
# Roles are columns of users and memberships.
admin.site.unregister(Group)


class Table(_ModelAdmin):
    """Shows every column that is no secret; `changeable` are those that a superuser may edit."""

    changeable: ClassVar[frozenset[str]] = frozenset()
    show_full_result_count = False
    list_per_page = 50

    def get_fields(self, *_asked: Any, **_named: Any) -> list[Any]:
        return [each.name for each in self.opts.fields if each.name not in _SECRET]

    def get_readonly_fields(
        self, request: HttpRequest, obj: models.Model | None = None
    ) -> list[str]:
        return [name for name in self.get_fields(request, obj) if name not in self.changeable]

    def has_add_permission(self, *_asked: Any, **_named: Any) -> bool:
        return False

    def has_delete_permission(self, *_asked: Any, **_named: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return bool(self.changeable) and super().has_change_permission(request, obj)

    def save_model(
        self,
        request: HttpRequest,
        obj: models.Model,
        form: forms.ModelForm[Any],
        change: bool,  # noqa: FBT001 - Django's signature
    ) -> None:
        """Tell the audit log, in the transaction that Django has opened around it."""
        super().save_model(request, obj, form, change)
        before = {name: form.initial.get(name) for name in form.changed_data}
        after = {name: form.cleaned_data[name] for name in form.changed_data}
        by = request.user if isinstance(request.user, User) else None
        target = f"{self.opts.model_name} {obj}"
        audit.write_change(by, "table.changed", target, before, after)


class OrganisationForm(_OrganisationModelForm):
    time_zone = forms.ChoiceField(
        choices=lambda: [(name, name) for name in sorted(available_timezones())],
        help_text="Reports count their days in it.",
    )


@admin.register(Organisation)
class OrganisationTable(Table):
    form = OrganisationForm
    changeable = frozenset({"name", "time_zone"})
    list_display = ("name", "time_zone")


@admin.register(User)
class UserTable(Table):
    changeable = frozenset({"is_active", "is_staff", "is_superuser", "role"})
    list_display = ("email", "role", "is_active", "is_superuser", "last_login")
    list_filter = ("role", "is_active")
    search_fields = ("email",)


@admin.register(Team)
class TeamTable(Table):
    list_display = ("name", "slug", "created_at")


@admin.register(Membership)
class MembershipTable(Table):
    list_display = ("user", "team", "role")
    list_filter = ("role",)
    list_select_related = ("user", "team")


@admin.register(Provider)
class ProviderTable(Table):
    changeable = frozenset({"is_enabled"})
    list_display = ("name", "kind", "base_url", "is_local", "is_enabled")


@admin.register(Deployment)
class DeploymentTable(Table):
    changeable = frozenset({"max_output_tokens", "requests_per_second", "burst", "is_enabled"})
    list_display = ("provider", "model", "max_output_tokens", "is_enabled")
    list_select_related = ("provider",)


@admin.register(Route)
class RouteTable(Table):
    changeable = frozenset({"is_enabled"})
    list_display = ("name", "is_enabled", "created_at")


@admin.register(RouteTarget)
class RouteTargetTable(Table):
    list_display = ("route", "position", "deployment")
    list_select_related = ("route", "deployment")


@admin.register(Price)
class PriceTable(Table):
    list_display = ("deployment", "input_usd", "output_usd", "effective_from")
    list_select_related = ("deployment",)


@admin.register(Credential)
class CredentialTable(Table):
    list_display = ("provider", "team", "user", "hint", "ring_key", "created_at")
    list_select_related = ("provider", "team", "user")


@admin.register(VirtualKey)
class VirtualKeyTable(Table):
    list_display = ("prefix", "name", "user", "team", "last_used_at", "expires_at", "revoked_at")
    list_select_related = ("user", "team")
    search_fields = ("prefix", "name")


@admin.register(Budget)
class BudgetTable(Table):
    list_display = ("scope", "team", "user", "key", "limit_nano", "period", "is_hard")
    list_select_related = ("team", "user", "key")


@admin.register(BudgetWindow)
class BudgetWindowTable(Table):
    list_display = ("budget", "starts_at", "ends_at", "spent_nano", "held_nano")
    list_select_related = ("budget",)


@admin.register(Reservation)
class ReservationTable(Table):
    list_display = ("id", "source", "route", "held_nano", "created_at", "settled_at")
    show_facets = admin.ShowFacets.NEVER


@admin.register(Entry)
class EntryTable(Table):
    list_display = ("at", "attempt", "route", "provider", "model", "status", "cost_nano")
    list_filter = ("status", "source")
    show_facets = admin.ShowFacets.NEVER


@admin.register(Probe)
class ProbeTable(Table):
    list_display = ("at", "deployment", "ok", "latency_ms", "error_code")
    list_select_related = ("deployment",)


@admin.register(TeamPolicy)
class TeamPolicyTable(Table):
    list_display = ("team", "pii_input", "pii_output", "fast_route")
    list_select_related = ("team",)


@admin.register(HealthState)
class HealthStateTable(Table):
    list_display = ("level", "since", "score", "judged_at")


@admin.register(HealthScore)
class HealthScoreTable(Table):
    list_display = ("at", "deployment", "score", "samples")
    list_select_related = ("deployment__provider",)
    show_facets = admin.ShowFacets.NEVER


@admin.register(LevelChange)
class LevelChangeTable(Table):
    list_display = ("at", "team", "before", "after", "reason", "actor")
    list_select_related = ("team",)


@admin.register(LevelOverride)
class LevelOverrideTable(Table):
    list_display = ("created_at", "team", "level", "reason", "actor", "expires_at", "ended_at")
    list_select_related = ("team",)


@admin.register(BreakerChange)
class BreakerChangeTable(Table):
    list_display = ("at", "deployment", "before", "after", "reason", "actor")
    list_select_related = ("deployment__provider",)


@admin.register(BreakerOrder)
class BreakerOrderTable(Table):
    list_display = ("created_at", "deployment", "word", "reason", "actor", "expires_at")
    list_select_related = ("deployment__provider",)


@admin.register(AuditEntry)
class AuditEntryTable(Table):
    list_display = ("at", "actor", "action", "target", "reason")
    search_fields = ("actor", "action", "target")
    show_facets = admin.ShowFacets.NEVER


@admin.register(RunningProcess)
class RunningProcessTable(Table):
    list_display = ("kind", "host", "pid", "version", "loaded_at", "seen_at", "fault")
