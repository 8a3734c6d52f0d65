"""Our copies of what runs made: one for each output, whoever is killed or slow."""

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
