"""Signing keys in the shapes tests need them."""

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def jwk_x(private: Ed25519PrivateKey) -> str:
    """Return the public half as a JWK's x member."""
    return base64.urlsafe_b64encode(private.public_key().public_bytes_raw()).decode().rstrip("=")
