"""A text column that is encrypted at rest."""

from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

if TYPE_CHECKING:
    Text = models.TextField[str, str]  # only the stubs' class takes arguments
else:
    Text = models.TextField


def _cipher() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_ENCRYPTION_KEYS])


class Unreadable(str):
    """A stored value that no configured key fits, as it is stored; saved again it stays what it is."""


class EncryptedTextField(Text):
    """Text that only a holder of FIELD_ENCRYPTION_KEY can read from the database.

    The first configured key encrypts, every configured key decrypts, so a key is rotated by putting
    a new one in front and saving the rows again. An empty string stays empty.

    A stored value that no configured key fits is read as Unreadable: rows beside it must stay readable.
    """

    def get_prep_value(self, value: Any) -> Any:
        """Return the encrypted form of `value`."""
        if isinstance(value, Unreadable):
            return str(value)
        value = super().get_prep_value(value)
        return _cipher().encrypt(value.encode()).decode() if value else value

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        """Return the plain text of a stored value, or Unreadable."""
        if not value:
            return value
        try:
            return _cipher().decrypt(value.encode()).decode()
        except InvalidToken:
            return Unreadable(value)
