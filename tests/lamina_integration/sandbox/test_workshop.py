"""Media is made in a process of its own, which is gone when there is nothing to make."""

import math
import operator
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lamina_integration.sandbox.media import films
from lamina_integration.sandbox.media.briefs import Unmakeable
from lamina_integration.sandbox.workshop import Workshop


@pytest.fixture
def workshop() -> Iterator[Workshop]:
    opened = Workshop()
    yield opened
    opened.stop()


def test_work_is_done_elsewhere_and_by_one_process(workshop: Workshop) -> None:
    first = workshop.do(os.getpid)
    assert first == workshop.do(os.getpid) != os.getpid()


def test_what_work_raises_is_raised_here(workshop: Workshop) -> None:
    with pytest.raises(ZeroDivisionError):
        workshop.do(operator.floordiv, 1, 0)
    assert workshop.do(math.sqrt, 4) == 2


def test_process_that_dies_is_replaced(workshop: Workshop) -> None:
    with pytest.raises(RuntimeError, match="has ended"):
        workshop.do(os._exit, 1)
    assert workshop.do(math.sqrt, 9) == 3


def test_closed_workshop_opens_again(workshop: Workshop) -> None:
    first = workshop.do(os.getpid)
    workshop.close()
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
    assert workshop.do(os.getpid) != first


def test_sentence_about_what_cannot_be_made_comes_through(workshop: Workshop, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"no clip")
    with pytest.raises(Unmakeable, match="could not be read"):
        workshop.do(films.first_frame, tmp_path / "clip.mp4", tmp_path / "frame.jpg")
