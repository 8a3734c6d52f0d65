"""Reports of errors: that they come, from web and workers, and what is never in them."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from celery import Celery
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path
from sentry_sdk.transport import Transport

from portal.operations.reporting import report_errors
from tests.factories import UserFactory

KEY = "lma_very_secret_key"
WORDS = " ".join(["Warmer", "light"])  # in no line of code that a report may quote


class Recorder(Transport):
    """Keeps what would be sent."""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.events: list[dict[str, Any]] = []

    def capture_envelope(self, envelope: Any) -> None:
        """Keep the event of an envelope."""
        if (event := envelope.get_event()) is not None:
            self.events.append(event)


@pytest.fixture
def reported() -> Iterator[list[dict[str, Any]]]:
    """The events that were reported, none of which leaves this process."""
    recorder = Recorder()
    with sentry_sdk.isolation_scope():
        report_errors("http://public@localhost:1/1", environment="production", release="v7", transport=recorder)
        yield recorder.events
    sentry_sdk.get_global_scope().set_client(None)


def breaks(request: HttpRequest, token: str) -> HttpResponse:
    api_key = KEY
    logging.getLogger("portal").warning("asking https://lamina.test/x?signature=abc for somebody@example.test")
    raise RuntimeError(f"it broke with {api_key} at https://store.test/put?signature=abc")


def breaks_for(request: HttpRequest) -> HttpResponse:
    raise RuntimeError(f"it broke for a member, who is there: {request.user.is_authenticated}")


urlpatterns = [path("hooks/lamina/<str:token>/", breaks), path("breaks/", breaks_for)]


def assert_nothing_private(event: dict[str, Any]) -> None:
    text = json.dumps(event, default=str)
    for secret in [KEY, "callback-token-1234567890", "signature=abc", WORDS, "hunter2", "somebody@example.test"]:
        assert secret not in text, secret


@override_settings(ROOT_URLCONF=__name__)
def test_error_of_a_page_is_reported_without_bodies_headers_or_keys(reported: list[dict[str, Any]]) -> None:
    client = Client(raise_request_exception=False)
    answer = client.post(
        "/hooks/lamina/callback-token-1234567890/?signature=abc",
        {"words": WORDS, "password": "hunter2"},
        headers={"X-Api-Key": KEY, "Cookie": f"session={KEY}"},
    )
    assert answer.status_code == 500
    event = next(event for event in reported if event.get("exception"))
    assert (event["environment"], event["release"]) == ("production", "v7")
    assert event["exception"]["values"][0]["type"] == "RuntimeError"
    assert event["transaction"].startswith("/hooks/lamina/")
    assert set(event["request"]) <= {"url", "method"}
    assert "user" not in event
    assert all("vars" not in frame for frame in event["exception"]["values"][0]["stacktrace"]["frames"])
    assert_nothing_private(event)


@pytest.mark.django_db
@override_settings(ROOT_URLCONF=__name__)
def test_error_of_a_member_s_page_does_not_tell_whose_session_it_was(reported: list[dict[str, Any]]) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(UserFactory(), backend="allauth.account.auth_backends.AuthenticationBackend")
    assert client.get("/breaks/").status_code == 500
    event = next(event for event in reported if event.get("exception"))
    assert event["exception"]["values"][0]["value"] == "it broke for a member, who is there: True"
    assert client.cookies[settings.SESSION_COOKIE_NAME].value not in json.dumps(event, default=str)


def test_error_of_a_task_is_reported_without_its_arguments(reported: list[dict[str, Any]]) -> None:
    app = Celery("test", set_as_current=False)
    app.conf.update(task_always_eager=True, task_eager_propagates=False)

    @app.task(name="breaks_too")
    def breaks_too(words: str) -> None:
        raise RuntimeError("a task broke")

    breaks_too.apply(args=[WORDS])
    event = next(event for event in reported if event.get("exception"))
    assert event["exception"]["values"][0]["value"] == "a task broke"
    assert event["transaction"] == "breaks_too"
    assert_nothing_private(event)


def test_nothing_is_reported_where_no_address_is_set() -> None:
    assert not sentry_sdk.get_client().is_active()
