# Creates a topic, produces with lz4, reads its partitions back without a group.
import sys
import confluent_kafka as ck
from confluent_kafka.admin import AdminClient, NewTopic

boot, topic, n = sys.argv[1], "t-confluent-kafka", 1000
admin = AdminClient({"bootstrap.servers": boot})
for f in admin.create_topics([NewTopic(topic, 3, 1)]).values():
    f.result(30)

failed = []
p = ck.Producer({"bootstrap.servers": boot, "acks": "all", "compression.type": "lz4"})
for i in range(n):
    p.produce(topic, key=f"k{i}", value=f"v{i}", on_delivery=lambda e, m: e and failed.append(e))
left = p.flush(30)
assert not left and not failed, (left, failed[:1])

c = ck.Consumer({"bootstrap.servers": boot, "group.id": "unused", "enable.auto.commit": False})
c.assign([ck.TopicPartition(topic, q, ck.OFFSET_BEGINNING) for q in range(3)])
got = {}
while len(got) < n:
    m = c.poll(10)
    assert m is not None, f"timed out with {len(got)}"
    if m.error():
        raise ck.KafkaException(m.error())
    assert m.key() not in got, m.key()
    got[m.key()] = m.value()
c.close()
assert got == {b"k%d" % i: b"v%d" % i for i in range(n)}
print(f"confluent-kafka {ck.__version__} (librdkafka {ck.libversion()[0]}) ok: created, produced {n}, consumed {len(got)}")
