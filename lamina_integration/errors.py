"""Everything that can go wrong with Lamina, classed by what the caller does next.

LaminaError
    LaminaUnreachable               no usable answer; a request that changes something may have taken effect
    LaminaResponseError             an answer that says no
        LaminaAuthError             the key is missing or unknown
        LaminaForbidden             the key is good, and may not do this
        LaminaNotFound              no such app, run or asset (or not ours)
        LaminaInvalidInputs         what was sent does not fit; problems by parameter
        LaminaInsufficientCredits   the workspace cannot pay for it
        LaminaRateLimited           too many requests; when to come back
    LaminaBudgetSpent               our own budget says wait; nothing was sent
        LaminaAway                  and it says so because Lamina has not been answering anybody
    LaminaRunUnfinished             a run that was followed has not ended in time
DeliveryRejected                    a webhook we will not believe
    DeliveryMalformed               headers or body are not a delivery at all
    DeliveryStale                   genuine, but signed too long ago (or too far ahead)
    DeliveryUnsigned                no key we know fits the signature

Errors carry facts to act on. Their text is for a log line or a person; nothing should branch on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lamina_integration.webhooks import VerifiedDelivery
    from lamina_integration.wire import GenerationRun, RemoteRun


@dataclass(frozen=True, slots=True)
class InputProblem:
    """One thing wrong with one input: which, what kind, and a sentence for a person."""

    param: str
    code: str
    message: str


class LaminaError(Exception):
    """Anything that kept a call to Lamina from giving its answer."""


class LaminaUnreachable(LaminaError):
    """No usable answer came: a timeout, a reset, a server error, or something that is not JSON.

    `maybe_sent` is False only when the request certainly never left this machine.
    """

    def __init__(
        self, message: str, *, maybe_sent: bool, request_id: str | None = None, status_code: int | None = None
    ) -> None:
        super().__init__(message)
        self.maybe_sent = maybe_sent
        self.request_id = request_id
        self.status_code = status_code


class LaminaResponseError(LaminaError):
    """Lamina answered, and the answer says no."""

    def __init__(
        self,
        message: str,
        *,
        status_code: int,
        code: str | None = None,
        request_id: str | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.code = code
        self.request_id = request_id
        self.retryable = retryable


class LaminaAuthError(LaminaResponseError):
    """The key is missing, unknown, revoked, or belongs to nobody (401)."""


class LaminaForbidden(LaminaResponseError):
    """The key is known and not allowed to do this (403), such as to run an app of somebody else's."""


class LaminaNotFound(LaminaResponseError):
    """There is no such thing, or this key may not see it (404)."""


class LaminaInvalidInputs(LaminaResponseError):
    """What was sent does not fit (400, 422); `problems` holds all of it, normalised."""

    def __init__(
        self,
        message: str,
        *,
        status_code: int,
        code: str | None = None,
        request_id: str | None = None,
        retryable: bool = False,
        problems: tuple[InputProblem, ...] = (),
    ) -> None:
        super().__init__(message, status_code=status_code, code=code, request_id=request_id, retryable=retryable)
        self.problems = problems

    @property
    def by_parameter(self) -> dict[str, list[str]]:
        """Return the messages grouped by parameter; those that name none are under an empty string."""
        grouped: dict[str, list[str]] = {}
        for problem in self.problems:
            grouped.setdefault(problem.param, []).append(problem.message)
        return grouped


class LaminaInsufficientCredits(LaminaResponseError):
    """The workspace has not enough credits for this."""


class LaminaRateLimited(LaminaResponseError):
    """Too many requests from this address (429); come back after `retry_after` seconds."""

    def __init__(
        self,
        message: str,
        *,
        retry_after: float,
        status_code: int = 429,
        code: str | None = "RATE_LIMITED",
        request_id: str | None = None,
        retryable: bool = True,
    ) -> None:
        super().__init__(message, status_code=status_code, code=code, request_id=request_id, retryable=retryable)
        self.retry_after = retry_after


class LaminaBudgetSpent(LaminaError):
    """The shared request budget asks for a longer wait than this lane sleeps; nothing was sent."""

    def __init__(self, message: str = "The shared request budget is spent for now", *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LaminaAway(LaminaBudgetSpent):
    """Lamina has left the last calls unanswered, so for a while nobody asks; nothing was sent."""

    def __init__(self, message: str = "Lamina does not answer at the moment", *, retry_after: float) -> None:
        super().__init__(message, retry_after=retry_after)


class LaminaRunUnfinished(LaminaError):
    """A run that was followed has not ended in time; it goes on, and `run` is how it last stood."""

    def __init__(self, message: str, *, run_id: str, run: RemoteRun | GenerationRun | None) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.run = run


class DeliveryRejected(Exception):
    """A webhook delivery that is not to be believed. The reason is for our log, never for the answer."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class DeliveryMalformed(DeliveryRejected):
    """The headers or the body are not those of a delivery."""


class DeliveryUnsigned(DeliveryRejected):
    """No key we hold fits the signature: a forgery, or a key we have not fetched yet."""


class DeliveryStale(DeliveryRejected):
    """Signed by Lamina, but outside the time window: a hint to ask about the run, not news to apply."""

    def __init__(self, reason: str, *, verified: VerifiedDelivery) -> None:
        super().__init__(reason)
        self.verified = verified
