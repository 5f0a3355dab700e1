# A member of a group, of the newer protocol if told so: prints each record of topics whose names begin with TOPIC until it is told to end.
import signal, sys
import confluent_kafka as ck

boot, group, topic = sys.argv[-3:]
is_newer = sys.argv[1] == "newer"
going = True
def end(*_):
    global going
    going = False
signal.signal(signal.SIGTERM, end)
# In the newer protocol the broker says how often it wants to hear from members, and resolves the pattern.
timeouts = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500, "topic.metadata.refresh.interval.ms": 1000}
consumer = ck.Consumer({
    "bootstrap.servers": boot, "group.id": group, "auto.offset.reset": "earliest", "auto.commit.interval.ms": 500,
    **({"group.protocol": "consumer"} if is_newer else timeouts)})
consumer.subscribe(["^" + topic + ".*"])
while going:
    for message in consumer.consume(1000, 0.2):
        if message.error():
            print(message.error(), file=sys.stderr)
        else:
            sys.stdout.write(message.value().decode() + "\n")
    sys.stdout.flush()
consumer.close()
