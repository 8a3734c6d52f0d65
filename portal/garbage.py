"""The garbage collector of a process that serves for days: what is loaded at its start stays, so it is left alone."""

import functools
import gc

# Python looks after every 700 new objects; one request or task makes several thousand, and drops nearly all at its end.
YOUNG, MIDDLE, OLD = 5_000, 20, 50


@functools.cache
def settle_in() -> None:
    """Leave alone what is there now, and look less often; for a process that has loaded what it serves with.

    Once: what is left alone is never looked at again, and later that would be work that is going on.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
