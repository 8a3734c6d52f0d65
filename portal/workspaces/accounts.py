"""How people get in: sign-in by email, no public sign-up."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):
    """Closes public sign-up: staff create accounts in the admin site."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Return False."""
        return False
