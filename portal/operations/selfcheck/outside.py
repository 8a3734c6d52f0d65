"""What is elsewhere, asked once: Lamina and the mail server."""

import re
from collections.abc import Iterator
from smtplib import SMTPAuthenticationError
from urllib.parse import urlsplit

from django.conf import settings
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from lamina_integration import (
    LaminaAuthError,
    LaminaError,
    LaminaForbidden,
    LaminaRateLimited,
    LaminaResponseError,
    LaminaUnreachable,
)
from lamina_integration.wire import Usage
from portal.operations.selfcheck.troubles import NotLookedAt, Trouble, short
from portal.workspaces.lamina import client_for_a_check, key_of
from portal.workspaces.models import Workspace

SMTP = "django.core.mail.backends.smtp.EmailBackend"
MAIL_PATIENCE_SECONDS = 5


def check_lamina() -> Iterator[Trouble]:
    """Ask Lamina once, with the portal's own key or else the first workspace's."""
    try:
        workspace = _speaker()
    except (DatabaseError, ImproperlyConfigured, ValueError) as error:
        raise NotLookedAt(f"the workspaces' keys cannot be read ({short(error)})") from error
    if workspace is None:
        yield Trouble("There is no key for Lamina", "set LAMINA_API_KEY, or a workspace's key in the admin site")
        return
    named = f"the key of the workspace {workspace.slug}" if workspace.lamina_api_key else "LAMINA_API_KEY"
    if not re.fullmatch(r"[!-~]+", key_of(workspace)):
        # It cannot even be sent.
        yield Trouble(f"What is set as {named} has a space, a line's end or a letter that no key has", f"mend {named}")
        return
    try:
        with client_for_a_check(workspace) as client:
            usage = client.account.usage()
    except LaminaAuthError:
        yield Trouble("Lamina does not accept the key", f"mend {named}")
    except LaminaForbidden:
        yield Trouble("Lamina does not let this key ask for its credits", f"mend {named}")
    except LaminaUnreachable as error:
        host = urlsplit(settings.LAMINA_BASE_URL).hostname
        yield Trouble(f"Lamina cannot be reached at {host} ({_why(error)})", "mend LAMINA_BASE_URL or the way to it")
    except LaminaRateLimited as error:
        raise NotLookedAt(f"Lamina takes no more requests from this address for {error.retry_after:.0f} s") from error
    except LaminaResponseError as error:
        yield Trouble(f"Lamina answers {error.status_code}", "see that LAMINA_BASE_URL is the API's address")
    except LaminaError as error:
        yield Trouble(f"Lamina cannot be asked ({short(error)})", "see LAMINA_BASE_URL and LAMINA_API_KEY")
    else:
        yield from _limit_is_theirs(usage)


def _speaker() -> Workspace | None:
    """Return for whom Lamina is asked; None when nobody has a key."""
    if settings.LAMINA_API_KEY:
        return Workspace(name="selfcheck")
    return Workspace.objects.exclude(lamina_api_key="").first()


def _why(error: LaminaUnreachable) -> str:
    """Return what came instead of a usable answer."""
    if error.status_code is None:
        return short(error.__cause__ or error)
    return f"what answers, with {error.status_code}, is of no use"


def _limit_is_theirs(usage: Usage) -> Iterator[Trouble]:
    """See that the portal sends no more than Lamina allows; it tells no limit where it has none."""
    if not usage.limit or not usage.window_ms:
        return
    allowed = int(usage.limit * settings.LAMINA_RATE_WINDOW_SECONDS * 1000 / usage.window_ms)
    if allowed < settings.LAMINA_RATE_LIMIT:
        yield Trouble(
            f"LAMINA_RATE_LIMIT is {settings.LAMINA_RATE_LIMIT}, and Lamina allows {allowed}",
            f"set LAMINA_RATE_LIMIT to {allowed}",
        )


def check_mail() -> Iterator[Trouble]:
    """Sign in to the mail server and send nothing."""
    if settings.EMAIL_BACKEND != SMTP:
        if settings.PRODUCTION:
            yield Trouble(
                "EMAIL_URL names no mail server: nobody gets a mail", "set it to smtp://user:password@host:587"
            )
        return
    try:
        with mail.get_connection(timeout=MAIL_PATIENCE_SECONDS):
            pass
    except SMTPAuthenticationError:
        yield Trouble("The mail server does not let the portal in", "mend the user and the password in EMAIL_URL")
    except (OSError, ValueError) as error:
        # SMTP's own errors are OSErrors, too.
        yield Trouble(f"The mail server does not answer ({short(error)})", "mend EMAIL_URL, or start the server")
