"""`python -m portal.demo`: start everything, keep it running, stop it cleanly."""

import os
import sys

from portal.demo.errors import DemoError
from portal.demo.options import read_options
from portal.demo.supervisor import run
from portal.embedded import EmbeddedServerError


def main() -> None:
    """Run the demo; what stops it from starting is one line on stderr and status 1."""
    try:
        run(read_options(os.environ), environ=os.environ)
    except (DemoError, EmbeddedServerError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
