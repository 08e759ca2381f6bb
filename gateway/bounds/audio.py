"""The most tokens a piece of audio can be, from its length in base64."""

from base64 import b64decode
from math import ceil
from struct import error as TooShort
from struct import unpack_from
from typing import Any

from gateway.refusals import CannotBeBounded

# Gemini's rate, the highest that is published; OpenAI's is 10.
_TOKENS_PER_SECOND = 32

# MPEG audio has at least 8 kbit/s.
_MP3_BYTES_PER_SECOND = 1000

_PCM_FORMATS = (1, 3)
_PCM_BITS = (8, 16, 24, 32, 64)
_CHANNELS_MAX = 8
# Recorders write texts before the samples.
_WAV_HEAD_CHARS = 64 * 1024
_ID3_BYTES = 10


def audio_tokens_max(audio: Any) -> int:
    """The most `{"data": base64, "format": "wav" | "mp3"}` can be. Refusals: CannotBeBounded."""
    data = audio.get("data") if isinstance(audio, dict) else None
    if isinstance(data, str) and (rate := _bytes_per_second(data, audio.get("format"))):
        return ceil(len(data) * 3 / 4 / rate * _TOKENS_PER_SECOND) + _TOKENS_PER_SECOND
    raise CannotBeBounded(
        "The length of this audio is unknown. Send MP3 or plain WAV.", field="input_audio"
    )


def _bytes_per_second(data: str, audio_format: object) -> int | None:
    try:
        match audio_format:
            case "mp3":
                return _MP3_BYTES_PER_SECOND if _is_mp3(data) else None
            case "wav":
                return _wav_rate(_decoded(data, 0, _WAV_HEAD_CHARS))
    except (ValueError, TooShort, IndexError):
        pass
    return None


def _decoded(data: str, start: int, chars: int) -> bytes:
    """Some bytes of `data`; `start` and `chars` are multiples of 4."""
    piece = data[start : start + chars].rstrip("=")
    return b64decode(piece[: len(piece) // 4 * 4], validate=True)


def _is_mp3(data: str) -> bool:
    """Whether a frame of MPEG audio, layer III, follows the tag, if there is one.

    Other formats can have far fewer bytes per second, and some decoders ignore what `format` says.
    """
    tag = _decoded(data, 0, 16)
    begin = 0
    if tag.startswith(b"ID3"):
        # Seven bits of each byte.
        begin = _ID3_BYTES + sum(tag[at] << 7 * (9 - at) for at in range(6, 10))
    first, second, third = _decoded(data, begin // 3 * 4, 8)[begin % 3 :][:3]
    version, layer, bitrate = second >> 3 & 3, second >> 1 & 3, third >> 4
    return (
        first == 0xFF
        and second >= 0xE0
        and version != 1
        and layer == 1
        and 0 < bitrate < 15
        and third >> 2 & 3 != 3
    )


def _wav_rate(head: bytes) -> int | None:
    """Bytes per second of a WAV file whose format is said once, before the samples, and fits."""
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    rates, at = [], 12
    while (kind := head[at : at + 4]) != b"data":
        if kind == b"fmt ":
            rates.append(_rate_of(head, at + 8))
        size = unpack_from("<I", head, at + 4)[0]
        at += 8 + size + size % 2
    return rates[0] if len(rates) == 1 else None


def _rate_of(head: bytes, at: int) -> int | None:
    encoding, channels, samples, rate, block, bits = unpack_from("<HHIIHH", head, at)
    fits = block == channels * bits // 8 and rate == samples * block
    known = encoding in _PCM_FORMATS and bits in _PCM_BITS and channels <= _CHANNELS_MAX
    return rate if fits and known else None
