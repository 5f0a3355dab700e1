# A member of a group: prints each record of topics whose names begin with TOPIC until it is told to end.
import asyncio, signal, sys
import aiokafka

boot, group, topic = sys.argv[1:4]

async def main():
    consumer = aiokafka.AIOKafkaConsumer(
        bootstrap_servers=boot, group_id=group, auto_offset_reset="earliest", enable_auto_commit=True,
        auto_commit_interval_ms=500, session_timeout_ms=6000, heartbeat_interval_ms=500, metadata_max_age_ms=1000)
    consumer.subscribe(pattern="^" + topic)
    await consumer.start()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    while not ended.is_set():
        # What is returned is printed before anything else happens: the position that is committed is behind it.
        for records in (await consumer.getmany(timeout_ms=200)).values():
            sys.stdout.write("".join(record.value.decode() + "\n" for record in records))
        sys.stdout.flush()
    await consumer.stop()

asyncio.run(main())
