#!/usr/bin/env python3
"""Passes connections on to a broker and keeps, of each client, the first frames of each API and version that it sends:
capture.py PORT BROKER_PORT FOLDER. The frames, each with its length, are in FOLDER/CLIENT.frames when it is asked to end."""
import asyncio, collections, pathlib, re, signal, sys

port, target, folder = int(sys.argv[1]), int(sys.argv[2]), pathlib.Path(sys.argv[3])
kept = collections.defaultdict(lambda: collections.defaultdict(list))

def keep(frame):
    api, version = int.from_bytes(frame[4:6]), int.from_bytes(frame[6:8])
    length = int.from_bytes(frame[12:14], signed=True)
    client = frame[14:14 + max(length, 0)].decode(errors="replace") or "none"
    client = re.sub(r"[^a-zA-Z]+", "-", client).strip("-").lower() or "none"
    frames = kept[client][api, version]
    if len(frames) < 2 and len(frame) <= 4096 and frame not in frames:
        frames.append(frame)

async def pump(reader, writer, see):
    pending = b""
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
        if see:
            pending += data
            while len(pending) >= 4 and len(pending) >= 4 + (length := int.from_bytes(pending[:4])):
                keep(pending[:4 + length])
                pending = pending[4 + length:]
    writer.close()

async def connection(reader, writer):
    try:
        there = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(pump(reader, there[1], True), pump(there[0], writer, False), return_exceptions=True)
    except OSError:
        writer.close()

async def main():
    stop = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set_result, None)
    server = await asyncio.start_server(connection, "127.0.0.1", port)
    await stop
    server.close()
    folder.mkdir(parents=True, exist_ok=True)
    for client, apis in kept.items():
        frames = b"".join(frame for key in sorted(apis) for frame in apis[key])
        (folder / f"{client}.frames").write_bytes(frames)

asyncio.run(main())
