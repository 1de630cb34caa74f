"""One alert as an e-mail, through the SMTP server that is configured."""

from __future__ import annotations

from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.urls import reverse

from providers.alerts.outbox import NotSent
from providers.alerts.words import alert_of
from providers.models import AlertMessage

TIMEOUT_S = 15


def send(message: AlertMessage) -> None:
    """Raise NotSent; what the server said of it is not repeated, only which kind of fault."""
    email = settings.GAIWEB.email
    if not email.host or not email.sender:
        raise NotSent("No SMTP server is configured any more.")
    alert = alert_of(message.alert)
    page = reverse("providers:budget_explained", args=[alert.budget_id])
    body = (
        f"{alert.headline}.\n\n{alert.reset} {alert.at_limit}\n\n"
        f"{settings.GAIWEB.public_url}{page}\n"
    )
    connection = get_connection(
        host=email.host,
        port=email.port,
        username=email.user or "",
        password=email.password.get_secret_value() if email.password else "",
        use_tls=email.security == "starttls",
        use_ssl=email.security == "tls",
        timeout=TIMEOUT_S,
    )
    letter = EmailMessage(
        subject=alert.headline,
        body=body,
        from_email=email.sender,
        to=[message.recipient],
        connection=connection,
        headers={"Message-ID": f"<gaiweb-alert-{message.pk}@{email.sender.rpartition('@')[2]}>"},
    )
    try:
        letter.send()
    except (SMTPException, OSError) as fault:
        raise NotSent(f"The mail server did not take it ({type(fault).__name__}).") from None
