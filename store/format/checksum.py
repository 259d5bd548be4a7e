"""CRC32C of a buffer, computed without holding the GIL.

crc32c-rs is a third faster, in the cache and out of it, but young; crc32c is built for every
platform. google-crc32c holds the GIL.
"""

try:
    from crc32c_rs import crc32c
except ImportError:
    from crc32c import crc32c

__all__ = ["crc32c"]
