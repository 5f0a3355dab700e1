# A member of a group: prints each record of topics whose names begin with TOPIC until it is told to end.
import signal, sys
import kafka

boot, group, topic = sys.argv[1:4]
going = True
def end(*_):
    global going
    going = False
signal.signal(signal.SIGTERM, end)
consumer = kafka.KafkaConsumer(
    bootstrap_servers=boot, group_id=group, auto_offset_reset="earliest", auto_commit_interval_ms=500,
    session_timeout_ms=6000, heartbeat_interval_ms=500, metadata_max_age_ms=1000)
consumer.subscribe(pattern="^" + topic)
while going:
    for records in consumer.poll(timeout_ms=200, max_records=2000).values():
        sys.stdout.write("".join(record.value.decode() + "\n" for record in records))
    sys.stdout.flush()
consumer.close()
