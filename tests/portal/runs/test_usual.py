"""How long an app's runs usually take."""

from datetime import timedelta

from django.core.cache import cache
from django.utils import timezone

from portal.catalogue.models import PinnedApp
from portal.runs.states import Status
from portal.runs.usual import usual_ranges
from portal.workspaces.models import Membership
from tests.factories import run_of


def test_runs_whose_answer_was_lost_count_from_when_they_were_sent(member: Membership, poster: PinnedApp) -> None:
    cache.clear()
    now = timezone.now()
    times = {"sent_at": now - timedelta(seconds=40), "accepted_at": now, "finished_at": now}
    for n in range(3):
        run_of(member, poster, status=Status.COMPLETED, lamina_run_id=f"found-{n}", **times)
    assert usual_ranges({poster.app_id}) == {poster.app_id: (40, 40)}


def test_nothing_is_said_of_an_app_with_too_few_runs(member: Membership, poster: PinnedApp) -> None:
    cache.clear()
    assert usual_ranges({poster.app_id}) == {poster.app_id: None}
