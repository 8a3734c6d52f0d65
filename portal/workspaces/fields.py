"""A text column that is encrypted at rest."""

from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

if TYPE_CHECKING:
    Text = models.TextField[str, str]  # only the stubs' class takes arguments
else:
    Text = models.TextField


def _cipher() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.FIELD_ENCRYPTION_KEYS])


class EncryptedTextField(Text):
    """Text that only a holder of FIELD_ENCRYPTION_KEY can read from the database.

    The first configured key encrypts, every configured key decrypts, so a key is rotated by putting
    a new one in front and saving the rows again. An empty string stays empty.

    Raises ImproperlyConfigured when no configured key fits a stored value.
    """

    def get_prep_value(self, value: Any) -> Any:
        """Return the encrypted form of `value`."""
        value = super().get_prep_value(value)
        return _cipher().encrypt(value.encode()).decode() if value else value

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        """Return the plain text of a stored value."""
        if not value:
            return value
        try:
            return _cipher().decrypt(value.encode()).decode()
        except InvalidToken as error:
            raise ImproperlyConfigured("No key in FIELD_ENCRYPTION_KEY fits a stored value.") from error
