"""What a person sees. Logs go to files, so this is little."""

import os


def say(text: str = "") -> None:
    """Print a line; a terminal that has been closed is not an error."""
    try:
        os.write(1, f"{text}\n".encode())
    except OSError:
        return
