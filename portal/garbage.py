"""The garbage collector of a process that serves for days: what is loaded at its start stays, so it is left alone."""

import gc

# Python looks after every 700 new objects; one request or task makes several thousand, and drops nearly all at its end.
YOUNG, MIDDLE, OLD = 5_000, 20, 50


def settle_in() -> None:
    """Leave alone what is there now, and look less often; called once a process has loaded what it serves with."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
