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


def audio_tokens_max(audio: Any) -> int:
    """The most `{"data": base64, "format": "wav" | "mp3"}` can be. Refusals: CannotBeBounded."""
    data = audio.get("data") if isinstance(audio, dict) else None
    if isinstance(data, str) and (rate := _bytes_per_second(data, audio.get("format"))):
        return ceil(len(data) * 3 / 4 / rate * _TOKENS_PER_SECOND) + _TOKENS_PER_SECOND
    raise CannotBeBounded(
        "The length of this audio is unknown. Send MP3 or plain WAV.", field="input_audio"
    )


def _bytes_per_second(data: str, audio_format: object) -> int | None:
    if audio_format == "mp3":
        return _MP3_BYTES_PER_SECOND
    return _wav_rate(data) if audio_format == "wav" else None


def _wav_rate(data: str) -> int | None:
    """Bytes per second of a WAV file with the usual head: RIFF, WAVE, then the format."""
    try:
        head = b64decode(data[:64])
        encoding, channels, samples, _, block = unpack_from("<HHIIH", head, 20)
    except (ValueError, TooShort):
        return None
    plain = head[:4] == b"RIFF" and head[8:16] == b"WAVEfmt " and encoding in _PCM_FORMATS
    return samples * block if plain and channels and block % channels == 0 else None
