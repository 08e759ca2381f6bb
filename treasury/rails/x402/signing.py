"""Sign the transfer of a token for somebody else to carry out (EIP-3009, by EIP-712)."""

from dataclasses import dataclass

from coincurve import PrivateKey

from treasury.rails.x402.addresses import checksummed, keccak256
from treasury.rails.x402.networks import Network

_DOMAIN = keccak256(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_TRANSFER = keccak256(
    b"TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,"
    b"uint256 validBefore,bytes32 nonce)"
)
_KEY_BYTES = 32
# Ethereum adds it to the number that says which of the possible public keys is meant.
_RECOVERY_FIRST = 27


@dataclass(frozen=True, kw_only=True)
class Authorization:
    """A transfer that its payer authorizes; times in Unix seconds, `value` in the smallest unit.

    The chain carries a `nonce` (32 bytes, in hexadecimal) out at most once.
    """

    payer: str
    payee: str
    value: int
    valid_after: int
    valid_before: int
    nonce: str


def private_key(secret: str) -> PrivateKey:
    """The key that 64 hexadecimal digits name. Raises ValueError, without the digits."""
    digits = secret.strip().removeprefix("0x")
    try:
        content = bytes.fromhex(digits)
        if len(content) != _KEY_BYTES:
            raise ValueError("another length")
        return PrivateKey(content)
    except ValueError:
        raise ValueError("A private key has 64 hexadecimal digits.") from None


def address_of(key: PrivateKey) -> str:
    """The address of the key's account."""
    point = key.public_key.format(compressed=False)[1:]
    return checksummed(f"0x{keccak256(point)[-20:].hex()}")


def digest(network: Network, authorization: Authorization) -> bytes:
    """What is signed: the token's contract on this chain, and the transfer."""
    domain = keccak256(
        _DOMAIN
        + keccak256(network.coin.encode())
        + keccak256(network.coin_version.encode())
        + _word(network.chain_id)
        + _word(int(network.contract, 16))
    )
    transfer = keccak256(
        _TRANSFER
        + _word(int(authorization.payer, 16))
        + _word(int(authorization.payee, 16))
        + _word(authorization.value)
        + _word(authorization.valid_after)
        + _word(authorization.valid_before)
        + bytes.fromhex(authorization.nonce.removeprefix("0x"))
    )
    return keccak256(b"\x19\x01" + domain + transfer)


def sign(key: PrivateKey, network: Network, authorization: Authorization) -> str:
    """The signature in hexadecimal: the same for the same authorization (RFC 6979)."""
    signature = key.sign_recoverable(digest(network, authorization), hasher=None)
    return f"0x{signature[:64].hex()}{signature[64] + _RECOVERY_FIRST:02x}"


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")
