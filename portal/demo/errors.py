"""What stops the demo."""


class DemoError(Exception):
    """The demo cannot start; the message is one line for a person, with the mend."""
