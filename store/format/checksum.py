"""CRC32C of whatever lies in memory, without the interpreter's lock while it is computed.

The first package here is a third faster, in the cache and out of it, but young; the second one is
built for every platform. google-crc32c keeps the interpreter's lock.
"""

try:
    from crc32c_rs import crc32c
except ImportError:
    from crc32c import crc32c

__all__ = ["crc32c"]
