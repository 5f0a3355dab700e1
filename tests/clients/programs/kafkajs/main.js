// Creates a topic, produces with gzip, reads its partitions back.
const { Kafka, CompressionTypes, logLevel } = require('kafkajs')
const { version } = require('kafkajs/package.json')
const [boot, topic, n] = [process.argv[2], 't-kafkajs', 1000]
const kafka = new Kafka({ brokers: [boot], logLevel: logLevel.ERROR })

// kafkajs has no public consumer without a group; its own cluster object, which its consumer fetches with, can be asked for.
async function consume() {
  const key = Object.getOwnPropertySymbols(kafka).find(s => s.description === 'private:Kafka:createCluster')
  const cluster = kafka[key]({})
  await cluster.connect()
  await cluster.addTargetTopic(topic)
  const got = new Map()
  for (const [nodeId, partitions] of Object.entries(cluster.findLeaderForPartitions(topic, [0, 1, 2]))) {
    const broker = await cluster.findBroker({ nodeId })
    for (const partition of partitions) {
      for (let fetchOffset = 0; ;) {
        const wanted = [{ topic, partitions: [{ partition, fetchOffset, maxBytes: 1 << 20 }] }]
        const { responses } = await broker.fetch({ maxWaitTime: 500, topics: wanted })
        const { messages, highWatermark } = responses[0].partitions[0]
        for (const m of messages) {
          if (got.has(`${m.key}`)) throw Error(`twice: ${m.key}`)
          got.set(`${m.key}`, `${m.value}`)
          fetchOffset = Number(m.offset) + 1
        }
        if (fetchOffset >= Number(highWatermark)) break
        if (!messages.length) throw Error(`nothing at ${partition}:${fetchOffset} of ${highWatermark}`)
      }
    }
  }
  await cluster.disconnect()
  return got
}

async function main() {
  const admin = kafka.admin()
  await admin.connect()
  const created = await admin.createTopics({ topics: [{ topic, numPartitions: 3, replicationFactor: 1 }] })
  if (!created) throw Error('not created')
  await admin.disconnect()
  const producer = kafka.producer()
  await producer.connect()
  const messages = Array.from({ length: n }, (_, i) => ({ key: `k${i}`, value: `v${i}` }))
  await producer.send({ topic, acks: -1, compression: CompressionTypes.GZIP, messages })
  await producer.disconnect()
  const got = await consume()
  if (got.size !== n || !messages.every(m => got.get(m.key) === m.value)) throw Error(`consumed ${got.size}`)
  console.log(`kafkajs ${version} ok: created, produced ${n}, consumed ${got.size}`)
}
main().then(() => process.exit(0), e => { console.error(e); process.exit(1) })
