# A member of a group: prints each record of topics whose names begin with TOPIC until it is told to end.
import signal, sys
import confluent_kafka as ck

boot, group, topic = sys.argv[1:4]
going = True
def end(*_):
    global going
    going = False
signal.signal(signal.SIGTERM, end)
consumer = ck.Consumer({
    "bootstrap.servers": boot, "group.id": group, "auto.offset.reset": "earliest", "auto.commit.interval.ms": 500,
    "session.timeout.ms": 6000, "heartbeat.interval.ms": 500, "topic.metadata.refresh.interval.ms": 1000})
consumer.subscribe(["^" + topic + ".*"])
while going:
    for message in consumer.consume(1000, 0.2):
        if message.error():
            print(message.error(), file=sys.stderr)
        else:
            sys.stdout.write(message.value().decode() + "\n")
    sys.stdout.flush()
consumer.close()
