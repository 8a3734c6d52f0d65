"""The one-command demo: everything the portal consists of, as real processes on this machine.

`make demo` runs `bootstrap` under the system's Python; it makes the virtual environment and hands
over to `python -m portal.demo`, the supervisor. Nothing here imports Django or any other package:
what needs them runs as a process of its own, so the supervisor stays small and outlives them all.
"""
