# A member of a group: prints each record of a topic until it is told to end. No pattern: kafka-python 3.0.12 forgets a join that a new topic
# has begun when `poll` ends, or the connection, before it is answered (`need_rejoin` is false meanwhile); it then reads on and commits nothing.
import signal, sys
import kafka

boot, group, topic = sys.argv[1:4]
signal.signal(signal.SIGTERM, signal.default_int_handler)
consumer = kafka.KafkaConsumer(
    bootstrap_servers=boot, group_id=group, auto_offset_reset="earliest", auto_commit_interval_ms=500,
    session_timeout_ms=6000, heartbeat_interval_ms=500, metadata_max_age_ms=1000)
consumer.subscribe([topic])
try:
    while True:
        try:
            polled = consumer.poll(timeout_ms=3_600_000, max_records=2000)
        except kafka.errors.KafkaConnectionError:
            continue
        for records in polled.values():
            sys.stdout.write("".join(record.value.decode() + "\n" for record in records))
        sys.stdout.flush()
except KeyboardInterrupt:
    pass
consumer.close()
