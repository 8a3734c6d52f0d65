"""`python -m portal.demo.manage …`: a management command with the demo's settings.

The demo need not run for it, unless the command asks Lamina or Redis: both are processes of the demo.
"""

import os
import sys

from portal.demo.errors import DemoError
from portal.demo.kept import Kept
from portal.demo.options import read_options
from portal.demo.services import environment
from portal.demo.steps import ROOT


def main(arguments: list[str]) -> None:
    """Become `manage.py` with the environment of the demo in DATA; one line and status 1 where there is none."""
    try:
        options = read_options(os.environ)
        kept = Kept.read(options.data)
    except DemoError as error:
        sys.exit(str(error))
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    os.execve(sys.executable, command, environment(options, kept, inherited=os.environ))  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
