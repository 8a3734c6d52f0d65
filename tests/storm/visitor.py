"""Somebody at a browser: signed in, with a session and a CSRF token, filling in real forms over HTTP."""

import re
import threading
import time
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import Any

import httpx

FIELD = r'name="{}"\s+value="([^"]+)"'
PATIENCE = httpx.Timeout(30, connect=5)


@dataclass(frozen=True)
class Answer:
    """What came of sending a form: the status, and the run it led to; 0 when nothing came back."""

    status: int
    run_url: str = ""

    @property
    def run_id(self) -> str:
        """Return the run's id."""
        return self.run_url.rstrip("/").rsplit("/", 1)[-1]


class Visitor:
    """A member of the workspace."""

    def __init__(self, url: str, *, email: str, password: str) -> None:
        self._http = httpx.Client(
            base_url=url, timeout=PATIENCE, trust_env=False, limits=httpx.Limits(max_connections=100)
        )
        self._forms: dict[int, dict[str, Any]] = {}
        self._lock = threading.Lock()
        page = self._http.get("/accounts/login/")
        self._http.post(
            "/accounts/login/",
            data={"csrfmiddlewaretoken": field(page.text, "csrfmiddlewaretoken"), "login": email, "password": password},
        )
        if self.get("/w/demo/runs/").status_code != 200:
            raise RuntimeError(f"{email} could not sign in")

    def get(self, path: str) -> httpx.Response:
        """Return a page."""
        return self._http.get(path)

    def form(self, pin: int, *, fresh: bool = False) -> dict[str, Any]:
        """Return an app's form as the page has it: its tokens, its schema, and every output chosen."""
        with self._lock:
            if fresh or pin not in self._forms:
                page = self._http.get(f"/w/demo/create/{pin}/").raise_for_status().text
                self._forms[pin] = {name: field(page, name) for name in ("csrfmiddlewaretoken", "token", "schema")}
                self._forms[pin]["outputs"] = re.findall(r'name="outputs"[^>]*value="(\d+)"', page)
            return dict(self._forms[pin])

    def send(self, pin: int, brief: str, *, token: uuid.UUID | str, tries: int = 1) -> Answer:
        """Send a form with this sentence; pressed again, as the same form, when no answer comes."""
        data = {**self.form(pin), "token": str(token), "p0": brief}
        answer = Answer(0)
        for number in range(tries):
            if number:
                time.sleep(0.3)
            try:
                response = self._http.post(f"/w/demo/create/{pin}/", data=data)
            except httpx.HTTPError:
                continue
            answer = Answer(response.status_code, response.headers.get("Location", ""))
            if answer.status < 500:
                break
        return answer

    def send_many(
        self, pin: int, briefs: Iterable[str], *, seed: int, threads: int = 8, tries: int = 1, pause: float = 0.0
    ) -> dict[str, Answer]:
        """Send a form for each sentence from several threads; the tokens come from the seed."""
        dice = Random(seed)
        self.form(pin)
        orders = [(brief, uuid.UUID(int=dice.getrandbits(128), version=4)) for brief in briefs]

        def send(order: tuple[str, uuid.UUID]) -> Answer:
            time.sleep(pause)
            return self.send(pin, order[0], token=order[1], tries=tries)

        with ThreadPoolExecutor(threads) as pool:
            return dict(zip((brief for brief, _token in orders), pool.map(send, orders), strict=True))

    def press_cancel(self, run_id: str, pin: int) -> int:
        """Press Cancel on a run's page; return the status of the answer."""
        data = {"csrfmiddlewaretoken": self.form(pin)["csrfmiddlewaretoken"]}
        try:
            return self._http.post(f"/w/demo/runs/{run_id}/cancel/", data=data).status_code
        except httpx.HTTPError:
            return 0

    def close(self) -> None:
        """Leave."""
        self._http.close()


def field(page: str, name: str) -> str:
    """Return the value of a hidden field."""
    found = re.search(FIELD.format(name), page)
    if found is None:
        raise RuntimeError(f"the page has no field {name}")
    return found[1]
