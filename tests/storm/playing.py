"""Playing one promise on a stage that others were played on before."""

import time
import traceback

from tests.storm.promises import Promise
from tests.storm.stage import Stage
from tests.storm.table import Result
from tests.storm.trial import Trial


def play(promise: Promise, *, stage: Stage, scale: float, seed: int) -> Result:
    """Clear the stage, let the storm loose, and return what came of it."""
    trial = Trial(name=promise.name, stage=stage, scale=scale, seed=seed)
    began = time.monotonic()
    try:
        stage.begin(settings=promise.settings, knobs={"seed": seed, **promise.knobs}, is_limited=promise.is_limited)
        began = time.monotonic()
        promise.play(trial)
    except Exception as error:
        # A storm that breaks off proves nothing; the others are still played.
        where = traceback.extract_tb(error.__traceback__)[-1]
        trial.failures.append(f"the storm broke off: {error!r} ({where.filename.rsplit('/', 1)[-1]}:{where.lineno})")
    return Result(trial=trial, words=promise.words, seconds=time.monotonic() - began)
