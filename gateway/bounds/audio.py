"""The most tokens a piece of audio can be, from its length in base64."""

from base64 import b64decode
from math import ceil
from struct import error as NoSuchBytes
from struct import unpack_from
from typing import Any

from gateway.refusals import CannotBeBounded

# Gemini's rate, the largest that is published; OpenAI's is 10.
_TOKENS_PER_SECOND = 32

# 8 kbit/s is the least MPEG audio has.
_MP3_BYTES_PER_SECOND = 1000

_PCM_FORMATS = (1, 3)


def audio_tokens_max(audio: Any) -> int:
    """The most `{"data": base64, "format": "wav" | "mp3"}` can be. Refusals: CannotBeBounded."""
    data = audio.get("data") if isinstance(audio, dict) else None
    rate = _bytes_per_second(data, audio.get("format")) if isinstance(data, str) else None
    if not rate:
        raise CannotBeBounded(
            "Only MP3 and plain WAV audio has a length that can be known; send one of them.",
            field="input_audio",
        )
    return ceil(len(data) * 3 / 4 / rate * _TOKENS_PER_SECOND) + _TOKENS_PER_SECOND


def _bytes_per_second(data: str, form: object) -> int | None:
    if form == "mp3":
        return _MP3_BYTES_PER_SECOND
    return _wav_rate(data) if form == "wav" else None


def _wav_rate(data: str) -> int | None:
    """Of a canonical head: RIFF, WAVE, then the format; anything else could hide it."""
    try:
        head = b64decode(data[:64])
        form, channels, samples, _, block = unpack_from("<HHIIH", head, 20)
    except (ValueError, NoSuchBytes):
        return None
    plain = head[:4] == b"RIFF" and head[8:16] == b"WAVEfmt " and form in _PCM_FORMATS
    return samples * block if plain and channels and block % channels == 0 else None
