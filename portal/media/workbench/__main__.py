"""Do one job, given as JSON on the command line, and report on it as JSON on standard output.

A report is either what was made ({"kind": …, "width": …}) or {"refused": code}. Whoever started us
takes no report at all (a crash, a limit, a time-out) for a file that cannot be read.
"""

import importlib
import json
import sys
from pathlib import Path

# Isolated mode leaves our own folder out. At the end of the path nothing of ours can hide a library.
sys.path.append(str(Path(__file__).resolve().parents[1]))

jobs = importlib.import_module("workbench.jobs")
limits = importlib.import_module("workbench.limits")


def main() -> None:
    """Do the job of the command line."""
    job = jobs.Job(**json.loads(sys.argv[1]))
    limits.apply(
        memory_bytes=job.memory_bytes, processor_seconds=job.processor_seconds, file_bytes=job.largest_file_bytes
    )
    # Decoders are loaded only now, under the limits, and only the one that is needed.
    work = importlib.import_module("workbench.stills" if job.task == "still" else "workbench.films").work
    try:
        report = work(job)
    except jobs.Refused as refusal:
        report = {"refused": refusal.code, "why": str(refusal)}
    sys.stdout.write(json.dumps(report))


main()
