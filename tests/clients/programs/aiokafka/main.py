# Creates a topic, produces with gzip, reads its partitions back without a group.
import asyncio, sys
import aiokafka
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

boot, topic, n = sys.argv[1], "t-aiokafka", 1000

async def main():
    admin = AIOKafkaAdminClient(bootstrap_servers=boot)
    await admin.start()
    r = await admin.create_topics([NewTopic(topic, 3, 1)])
    await admin.close()
    assert all(e[1] == 0 for e in r.topic_errors), r
    async with aiokafka.AIOKafkaProducer(bootstrap_servers=boot, acks="all", compression_type="gzip") as p:
        sent = [await p.send(topic, key=b"k%d" % i, value=b"v%d" % i) for i in range(n)]
        await asyncio.gather(*sent)
    async with aiokafka.AIOKafkaConsumer(bootstrap_servers=boot, group_id=None) as c:
        parts = [aiokafka.TopicPartition(topic, q) for q in range(3)]
        c.assign(parts)
        await c.seek_to_beginning(*parts)
        got = {}
        while len(got) < n:
            m = await asyncio.wait_for(c.getone(), 10)
            assert m.key not in got, m.key
            got[m.key] = m.value
    assert got == {b"k%d" % i: b"v%d" % i for i in range(n)}
    print(f"aiokafka {aiokafka.__version__} ok: created, produced {n}, consumed {len(got)}")

asyncio.run(main())
