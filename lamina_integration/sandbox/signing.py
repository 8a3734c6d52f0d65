"""The keys deliveries are signed with, and the secret upload addresses are signed with."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class Keys:
    """The current signing key, those still published beside it, and one that never is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._published = [Ed25519PrivateKey.from_private_bytes(bytes.fromhex(line)) for line in self._lines()]
        if not self._published:
            self.rotate(keep_old=False)
        self.unpublished = Ed25519PrivateKey.generate()
        self.upload_secret = self._secret()

    @property
    def current(self) -> Ed25519PrivateKey:
        return self._published[0]

    def rotate(self, *, keep_old: bool) -> None:
        """Sign with a new key from now on; the old ones stay published or not."""
        self._published = [Ed25519PrivateKey.generate(), *(self._published if keep_old else [])]
        self._file.write_text("".join(f"{key.private_bytes_raw().hex()}\n" for key in self._published))
        self._file.chmod(0o600)

    def as_wire(self) -> dict[str, Any]:
        """Return the published keys as a JWK set."""
        return {"keys": [_jwk(key, age) for age, key in enumerate(reversed(self._published), start=1)][::-1]}

    @property
    def _file(self) -> Path:
        return self._folder / "signing-keys"

    def _lines(self) -> list[str]:
        return self._file.read_text().split() if self._file.exists() else []

    def _secret(self) -> bytes:
        path = self._folder / "upload-secret"
        if not path.exists():
            path.write_text(secrets.token_hex(32))
            path.chmod(0o600)
        return bytes.fromhex(path.read_text().strip())


def _jwk(key: Ed25519PrivateKey, age: int) -> dict[str, str]:
    public = urlsafe_b64encode(key.public_key().public_bytes_raw()).rstrip(b"=").decode()
    return {
        "kty": "OKP", "crv": "Ed25519", "x": public, "kid": f"lamina-webhook-v{age}", "use": "sig", "alg": "EdDSA",
    }  # fmt: skip
