"""One measurement at a time, each in a process and on a stage of its own."""

from __future__ import annotations

import importlib
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import django
from django.core.management import call_command
from django.db import connections

from tests.bench.report import Measured
from tests.bench.sizes import Sizes
from tests.bench.stage import stage


def measured(name: str, sizes: Sizes) -> Measured:
    """Return what one measurement came to.

    A process for each: settings are read once, and the next stage has other addresses.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(perform, name, sizes).result()


def perform(name: str, sizes: Sizes) -> Measured:
    """Set the stage and measure."""
    with stage() as standing:
        os.environ.update(standing.environment)
        django.setup()
        call_command("migrate", verbosity=0)
        try:
            found: Measured = importlib.import_module(f"tests.bench.{name}").measure(standing, sizes)
        finally:
            connections.close_all()
        found.notes.append(f"On {standing.database} and {standing.broker}.")
        return found
