"""Circle's entity secret, which is encrypted again for each request."""

import base64

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

_BYTES = 32


def ciphertext(entity_secret: str, public_key: str) -> str:
    """The 32 bytes (64 hexadecimal digits), encrypted for Circle. Raises ValueError."""
    secret = bytes.fromhex(entity_secret)
    key = load_pem_public_key(public_key.encode())
    if len(secret) != _BYTES or not isinstance(key, RSAPublicKey):
        raise ValueError("The entity secret has 64 hexadecimal digits.")
    padding = OAEP(mgf=MGF1(SHA256()), algorithm=SHA256(), label=None)
    return base64.b64encode(key.encrypt(secret, padding)).decode()
