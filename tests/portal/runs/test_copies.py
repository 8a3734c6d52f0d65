"""Our copies of what runs made: one for each output, whoever is killed or slow."""

from datetime import timedelta

import pytest
from django.db import DatabaseError
from django.utils import timezone

from lamina_integration.sandbox import Sandbox
from portal.media.models import Media
from portal.runs import copies, rounds
from portal.runs.models import Output, Run
from portal.runs.submit import send


@pytest.fixture
def made(run: Run, lamina: Sandbox) -> Output:
    """An output that is made and not ours yet."""
    lamina.set(manual=True, plain_media=True)
    send(run.pk)
    run.refresh_from_db()
    lamina.complete(run.lamina_run_id)
    rounds.want_details(run.pk)
    rounds.go_round()
    return run.outputs.first()


def due(output: Output) -> None:
    Output.objects.filter(pk=output.pk).update(copy_next_at=timezone.now())


def test_output_that_is_copied_twice_has_one_file(made: Output) -> None:
    copies.copy_output(made.pk)
    due(made)
    copies.copy_output(made.pk)
    made.refresh_from_db()
    assert [media.pk for media in Media.objects.all()] == [made.media_id]


def overdue(output: Output, **age: float) -> None:
    """Make the copy's time come, and the output this old."""
    now = timezone.now()
    made_at = now - timedelta(**(age or {"seconds": 3}))
    Output.objects.exclude(pk=output.pk).update(copy_next_at=None)
    Output.objects.filter(pk=output.pk).update(
        copy_next_at=now - timedelta(seconds=3), made_at=made_at, copy_nudged_until=None
    )


def test_output_is_left_to_its_message_for_longer_the_longer_its_lane_is_down(made: Output) -> None:
    overdue(made)
    assert copies.copies_to_make() == [made.pk]
    assert copies.copies_to_make() == [], "each sweep would queue it again"
    overdue(made, hours=1)
    assert copies.copies_to_make() == [made.pk]
    made.refresh_from_db()
    assert made.copy_nudged_until - timezone.now() > timedelta(minutes=4)


def test_message_that_was_handed_out_still_copies(made: Output) -> None:
    overdue(made, hours=1)
    copies.copies_to_make()
    copies.copy_output(made.pk)
    made.refresh_from_db()
    assert made.is_ready


def test_copy_whose_worker_was_killed_is_handed_out_when_its_lease_ends(
    made: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    overdue(made, hours=1)
    copies.copies_to_make()
    with monkeypatch.context() as patch:
        patch.setattr(copies, "_note", _killed)
        with pytest.raises(KeyboardInterrupt):
            copies.copy_output(made.pk)
    assert copies.copies_to_make() == []
    Output.objects.filter(pk=made.pk).update(copy_next_at=timezone.now() - timedelta(seconds=3))
    assert copies.copies_to_make() == [made.pk], "however long its first message was given"


def test_worker_killed_before_it_said_that_it_had_copied_leaves_one_file(
    made: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(copies, "_note", _killed)
        with pytest.raises(KeyboardInterrupt):
            copies.copy_output(made.pk)
    due(made)
    copies.copy_output(made.pk)
    made.refresh_from_db()
    assert made.is_ready
    assert Media.objects.count() == 1


def _killed(*args: object, **kwargs: object) -> None:
    raise KeyboardInterrupt


def test_copy_and_the_news_of_it_are_one(made: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Run) -> None:
        raise DatabaseError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(Run, "touch", refuse)
        with pytest.raises(DatabaseError):
            copies.copy_output(made.pk)
    made.refresh_from_db()
    assert made.media_id is None, "no page would have shown it"


def test_address_that_has_died_is_asked_for_again_and_not_for_ever(made: Output, lamina: Sandbox) -> None:
    lamina.set(media_fault="gone")
    asked = 0
    for _ in range(copies.MOST_TRIES + 4):
        due(made)
        copies.copy_output(made.pk)
        asked += Run.objects.filter(details_next_at__isnull=False).update(details_next_at=None)
    assert 1 <= asked <= copies.MOST_TRIES
    made.refresh_from_db()
    assert (made.copy_next_at, bool(made.copy_error)) == (None, True)
