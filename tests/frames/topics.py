"""Batches of records, and the topics and groups that both brokers have before the first frame."""
import pathlib, struct

BATCHES, CASES = {}, []
for line in (pathlib.Path(__file__).parent.parent / "fixtures/produce_codes.txt").read_text().splitlines():
    words = line.split()
    if words[0] == "batch":
        BATCHES[words[1]] = bytes.fromhex(words[2])
    elif words[0] == "case":
        CASES.append(words)
GOOD_BATCHES = [BATCHES[name] for name in ("plain", "gzip", "snappy", "lz4", "zstd")]

TABLE = []
for n in range(256):
    for _ in range(8):
        n = (n >> 1) ^ (0x82F63B78 if n & 1 else 0)
    TABLE.append(n)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def mended(batch):
    """The batch with the checksum that it should have."""
    return batch[:17] + struct.pack(">I", crc32c(batch[21:])) + batch[21:]


def idempotent(producer, epoch, sequence):
    """The plain batch as one of an idempotent producer."""
    batch = bytearray(BATCHES["plain"])
    batch[43:57] = struct.pack(">qhi", producer, epoch, sequence)
    return mended(bytes(batch))


def keyed():
    """A batch of two records with keys, as a compacted topic wants them."""
    body = b"".join(bytes([16, 0, 2 * offset, 2 * offset, 2, 107, 2, 118, 0]) for offset in range(2))
    tail = struct.pack(">hiqqqhii", 0, 1, 1_700_000_000_000, 1_700_000_000_001, -1, -1, -1, 2) + body
    return mended(struct.pack(">qiibI", 0, len(tail) + 9, 0, 2, 0) + tail)


def changed(batch, change, bit):
    """A batch of `produce_codes.txt` with one of its changes."""
    batch = bytearray(batch)
    if change[0].startswith("bit"):
        batch[bit // 8] ^= 0x80 >> bit % 8
    elif change[0] == "set+crc":
        new = bytes.fromhex(change[2])
        batch[int(change[1]):int(change[1]) + len(new)] = new
    return mended(bytes(batch)) if change[0].endswith("crc") else bytes(batch)


# Topics with their partitions and settings.
TOPICS = {"t3": (3, {}), "t1": (1, {}), "compact": (1, {"cleanup.policy": "compact"}), "cut": (2, {}), "grows": (1, {}),
          "append": (1, {"message.timestamp.type": "LogAppendTime"}), "settings": (1, {"segment.bytes": "2097152"}),
          "codes": (1, {}), "compacted": (1, {"cleanup.policy": "compact"}), "a.b": (1, {})}
TOPICS |= {f"del-{version}-{number}": (1, {}) for version in range(1, 7) for number in range(12)}
# Topics that hold records.
FILLED = [("t3", 0), ("t3", 1), ("t3", 2), ("t1", 0), ("compact", 0), ("cut", 0), ("cut", 1), ("append", 0)]
# Groups that have offsets and no member.
GROUPS = ["offsets", "commits"] + [f"lost-{number}" for number in range(34)]
GROUPS += [f"gone-{version}-{number}" for version in range(3) for number in range(34)]
NAMES = set(TOPICS) | set(GROUPS)
