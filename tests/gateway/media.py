"""The bytes of images and of audio, as far as their size depends on them."""

import base64
import struct


def chunk(kind, data, size=None):
    return struct.pack(">I", len(data) if size is None else size) + kind + data + b"\0\0\0\0"


def png(wide, high):
    header = chunk(b"IHDR", struct.pack(">II", wide, high) + b"\x08\2\0\0\0")
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"tEXt", b"a") + chunk(b"IDAT", b"")


def jpeg_frame(wide, high, kind=0xC2):
    return bytes([0xFF, kind, 0, 17, 8]) + struct.pack(">HH", high, wide) + bytes(10)


def jpeg(wide, high, before=b""):
    tables = b"\xff\xe0\0\x04ab\xff\xff\xdb\0\x03a"
    return b"\xff\xd8" + tables + before + jpeg_frame(wide, high) + b"\xff\xda"


def gif(*frames, screen=(1, 1)):
    """`frames`: (left, top, width, height)."""
    head = b"GIF89a" + struct.pack("<HH", *screen) + b"\x80\0\0" + bytes(6)
    control = b"!\xf9\4\0\0\0\0\0"
    parts = [control + b"," + struct.pack("<4H", *frame) + b"\0\2\3abc\0" for frame in frames]
    return head + b"".join(parts) + b";"


def riff(kind, data):
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def webp(*chunks):
    return b"RIFF\0\0\0\0WEBP" + b"".join(chunks)


def vp8(wide, high, mark=b"\x9d\x01\x2a"):
    return riff(b"VP8 ", b"\0\0\0" + mark + struct.pack("<HH", wide, high) + b"a")


def vp8l(wide, high, mark=b"\x2f"):
    return riff(b"VP8L", mark + (wide - 1 | high - 1 << 14).to_bytes(4, "little"))


def vp8x(wide, high):
    sizes = (side - 1 for side in (wide, high))
    return riff(b"VP8X", bytes(4) + b"".join(size.to_bytes(3, "little") for size in sizes))


def base64_of(data):
    return base64.b64encode(data).decode()


def wav(samples, channels=1, bits=16, *, block=None, rate=None, encoding=1, before=b"", seconds=1):
    block = channels * bits // 8 if block is None else block
    rate = samples * block if rate is None else rate
    head = struct.pack("<HHIIHH", encoding, channels, samples, rate, block, bits)
    data = riff(b"data", bytes(channels * bits // 8 * samples * seconds))
    return b"RIFF\0\0\0\0WAVE" + before + riff(b"fmt ", head) + data


def mp3(seconds=1, *, header=b"\xff\xfb\x90\0", tag=None):
    start = b"" if tag is None else b"ID3\4\0\0" + bytes([0, 0, tag >> 7, tag & 127]) + bytes(tag)
    return start + header + bytes(1000 * seconds)


def audio_of(data, audio_format):
    audio = {"data": base64_of(data), "format": audio_format}
    return {"type": "input_audio", "input_audio": audio}
