"""Measurements in a process and on a stage of their own."""

from __future__ import annotations

import importlib
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import django
from django.core.management import call_command
from django.db import connections

from tests.bench.report import Measured
from tests.bench.sizes import Sizes
from tests.bench.stage import stage


def measured(names: Sequence[str], sizes: Sizes) -> list[Measured]:
    """Return what measurements came to that follow one another on one stage.

    In a new process: settings are read once, and the next stage has other addresses.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(perform, names, sizes).result()


def perform(names: Sequence[str], sizes: Sizes) -> list[Measured]:
    """Set the stage and measure; whatever follows finds it as empty as the first did."""
    with stage() as standing:
        os.environ.update(standing.environment)
        django.setup()
        call_command("migrate", run_syncdb=True, verbosity=0)
        found: list[Measured] = []
        try:
            for name in names:
                if found:
                    call_command("flush", verbosity=0, interactive=False)
                    standing.empty_broker()
                found.append(importlib.import_module(f"tests.bench.{name}").measure(standing, sizes))
                found[-1].notes.append(f"On {standing.database} and {standing.broker}.")
        finally:
            connections.close_all()
        return found
