"""`/metrics`: for scrapers on this machine, or with the token from anywhere."""

from __future__ import annotations

import hmac
import ipaddress

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django_prometheus.exports import ExportToDjangoView

# A proxy on this machine calls from loopback on behalf of the whole world.
_SIGNS_OF_A_PROXY = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA")


def metrics(request: HttpRequest) -> HttpResponse:
    if not (_has_token(request) or _is_from_this_machine(request)):
        return HttpResponseForbidden(
            "Metrics are for this machine, or with the bearer token of GAIWEB_METRICS_TOKEN.\n",
            content_type="text/plain",
        )
    answer: HttpResponse = ExportToDjangoView(request)
    return answer


def _has_token(request: HttpRequest) -> bool:
    token = settings.GAIWEB.metrics_token
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return token is not None and hmac.compare_digest(
        given.encode(), token.get_secret_value().encode()
    )


def _is_from_this_machine(request: HttpRequest) -> bool:
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return address.is_loopback and not any(sign in request.META for sign in _SIGNS_OF_A_PROXY)
