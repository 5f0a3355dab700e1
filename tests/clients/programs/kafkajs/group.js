// A member of a group: prints each record of topics whose names begin with TOPIC until it is told to end.
const { Kafka, logLevel } = require('kafkajs')
const [boot, groupId, topic] = process.argv.slice(2)
const kafka = new Kafka({ brokers: [boot], logLevel: logLevel.NOTHING })
const consumer = kafka.consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 500, metadataMaxAge: 1000 })

async function main() {
  await consumer.connect()
  await consumer.subscribe({ topic: new RegExp(`^${topic}`), fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch, isRunning, isStale, heartbeat }) => {
      if (!isRunning() || isStale() || !batch.messages.length) return
      process.stdout.write(batch.messages.map(m => `${m.value}\n`).join(''))
      const offset = `${Number(batch.lastOffset()) + 1}`
      await consumer.commitOffsets([{ topic: batch.topic, partition: batch.partition, offset }])
      await heartbeat()
    }
  })
}
process.on('SIGTERM', () => consumer.disconnect().then(() => process.exit(0)))
main().catch(e => { console.error(e); process.exit(1) })
