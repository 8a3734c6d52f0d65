"""Every promise with the storm that tries it, by name and in order."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.storm.promises import answers, broker, budgets, deliveries, handlers, limits, starts, workers
from tests.storm.trial import Trial


@dataclass(frozen=True, kw_only=True)
class Promise:
    """What is promised, and how it is tried: the portal's settings, the stand-in's knobs, the storm itself.

    Where times are judged nothing else may have the machine meanwhile.
    """

    name: str
    words: str
    play: Callable[[Trial], None]
    settings: dict[str, str] = field(default_factory=dict)
    knobs: dict[str, Any] = field(default_factory=dict)
    is_limited: bool = False
    is_timed: bool = False


PROMISES = {
    promise.name: promise
    for promise in (
        Promise(
            name="R1",
            words="a killed worker loses nothing and repeats nothing",
            play=workers.kill_again_and_again,
            knobs={"slow_starts": 0.5},
        ),
        Promise(
            name="R2",
            words="a slow task redelivered by the broker submits once",
            play=workers.deliver_slow_tasks_again,
            settings={"STORM_VISIBILITY_TIMEOUT": "5"},
            # A delivery would tell of the run before the answer does.
            knobs={"webhooks": False},
        ),
        Promise(
            name="R3",
            words="a broker that restarts is survived",
            play=broker.restart_under_load,
        ),
        Promise(
            name="R3b",
            words="a broker that hangs is survived",
            play=broker.hang,
            is_timed=True,
        ),
        Promise(
            name="R4",
            words="a crash between commit and enqueue loses nothing",
            play=starts.kill_web_before_the_message,
        ),
        Promise(
            name="R5",
            words="a lost answer is never a second payment",
            play=starts.lose_answers,
            knobs={"lost_answers": 1.0, "webhook_dropped": 0.5},
        ),
        Promise(name="R6", words="one click is one run", play=starts.click_together),
        Promise(
            name="R7",
            words="deliveries repeat, overtake, lie",
            play=deliveries.repeat_and_lie,
            knobs={
                "webhook_states": ["running", "completed", "failed", "cancelled"],
                "webhook_duplicates": 2,
                "webhook_reordered": 0.5,
                "webhook_reorder_seconds": 1.0,
                "fail_runs": 0.1,
            },
        ),
        Promise(
            name="R8",
            words="a handler that fails once is not forgotten",
            play=handlers.fail_the_first_time,
        ),
        Promise(
            name="R9",
            words="without any delivery all is settled",
            play=limits.drop_every_delivery,
            knobs={"manual": True, "webhooks": False},
            is_limited=True,
        ),
        Promise(
            name="R10",
            words="the shared limit is kept and shared fairly",
            play=limits.share_the_limit,
            knobs={"manual": True, "webhooks": False},
            is_limited=True,
        ),
        Promise(
            name="R11",
            words="Lamina down or hanging does not take the portal down",
            play=limits.take_lamina_away,
            is_timed=True,
        ),
        Promise(
            name="R12",
            words="odd answers do not break it",
            play=answers.mutate,
        ),
        Promise(
            name="R13",
            words="results are kept",
            play=answers.spoil_media,
        ),
        Promise(
            name="R14",
            words="what Lamina says of a cancelled run is what we say",
            play=answers.cancel_at_every_moment,
        ),
        Promise(
            name="R15",
            words="a budget holds",
            play=budgets.spend_all_at_once,
            knobs={"manual": True},
        ),
        Promise(
            name="R16",
            words="signing keys rotate",
            play=handlers.rotate_keys,
        ),
        Promise(
            name="R17",
            words="a delivery answered 2xx is in the database",
            play=deliveries.kill_web_while_they_come,
            knobs={"manual": True},
        ),
        Promise(
            name="R18",
            words="a delivery is answered fast",
            play=handlers.answer_fast,
            is_timed=True,
            knobs={"manual": True},
        ),
    )
}
