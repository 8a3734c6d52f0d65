"""Changes that were asked for are news of an open page like everything else, and cost nothing where there are none."""

import re
from typing import Any

from django.test import Client

from lamina_integration.sandbox import Sandbox
from portal.runs import refine
from portal.runs.models import Run
from portal.workspaces.models import User
from tests.portal.runs.conftest import Ask, copy_all

SECTION = re.compile(r'<section class="card" id="changes".*?</section>', re.DOTALL)
OOB = 'hx-swap-oob="true"'


def section_of(page: str) -> str:
    """Return the changes as a page shows them, without how they came there."""
    [section] = SECTION.findall(page)
    return re.sub(r"\s+", " ", section.replace(OOB, ""))


def poll(browser: Client, run: Run, tag: str = "") -> Any:
    return browser.get(f"{run.get_absolute_url()}progress/", headers={"If-None-Match": tag})


def test_poll_with_news_brings_the_list_as_the_page_has_it(ask: Ask, done: Run, visitor: Client) -> None:
    refinement = ask("Warmer light")
    tag = poll(visitor, done)["ETag"]
    refine.send(refinement.pk)
    news = poll(visitor, done, tag).content.decode()
    assert news.count(OOB) == 2, "the changes and the credits"
    assert section_of(news) == section_of(visitor.get(done.get_absolute_url()).content.decode())
    assert "2 outputs were made anew." in section_of(news)


def test_page_that_was_open_before_has_a_place_for_the_first_change(
    ask: Ask, done: Run, visitor: Client, creator: User
) -> None:
    page = visitor.get(done.get_absolute_url()).content.decode()
    assert 'id="changes" hidden' in page
    assert "Changes asked for" not in page
    refine.withdraw(ask("Warmer light"), person=creator)
    news = section_of(poll(visitor, done).content.decode())
    assert "hidden" not in news
    assert "Withdrawn" in news


def test_poll_without_news_costs_the_same_with_changes(
    ask: Ask, done: Run, visitor: Client, lamina: Sandbox, django_assert_num_queries: Any
) -> None:
    poll(visitor, done)
    for step in (lambda: None, lambda: refine.send(ask().pk), lambda: copy_all(done)):
        step()
        tag = poll(visitor, done)["ETag"]
        with django_assert_num_queries(2):
            assert poll(visitor, done, tag).status_code == 304


def test_poll_asks_for_no_changes_where_there_are_none(
    done: Run, visitor: Client, django_assert_num_queries: Any
) -> None:
    poll(visitor, done)
    with django_assert_num_queries(3):
        news = poll(visitor, done).content.decode()
    assert 'id="changes"' not in news
