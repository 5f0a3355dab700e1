// Lets Kafka's own cleaner compact partition folders, and says what is in them then.
//
// Reads lines "folder now firstDirty firstUncleanable mapBytes segmentBytes indexInterval deleteRetention"; writes for each what
// `describe` in kafka_cleaner.rs writes of a folder that Klamm has compacted.

import java.io.File;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;
import java.util.Scanner;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.FileRecords;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.server.util.KafkaScheduler;
import org.apache.kafka.storage.internals.log.Cleaner;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;
import org.apache.kafka.storage.internals.log.LogToClean;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;
import org.apache.kafka.storage.internals.log.SkimpyOffsetMap;
import org.apache.kafka.storage.internals.log.UnifiedLog;
import org.apache.kafka.storage.internals.utils.Throttler;
import org.apache.kafka.storage.log.metrics.BrokerTopicStats;

public class CleanerOracle {
    public static void main(String[] args) throws Exception {
        Scanner lines = new Scanner(System.in);
        StringBuilder out = new StringBuilder();
        while (lines.hasNextLine()) {
            String[] fields = lines.nextLine().split("\t");
            File folder = new File(fields[0]);
            long[] numbers = Arrays.stream(fields).skip(1).mapToLong(Long::parseLong).toArray();
            long end = clean(folder, numbers);
            describe(folder, end, out);
        }
        System.out.print(out);
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    static long clean(File folder, long[] numbers) throws Exception {
        Map<String, Object> settings = new HashMap<>();
        settings.put("cleanup.policy", "compact");
        settings.put("internal.segment.bytes", (int) numbers[4]);
        settings.put("index.interval.bytes", (int) numbers[5]);
        settings.put("delete.retention.ms", numbers[6]);
        KafkaScheduler scheduler = new KafkaScheduler(1);
        UnifiedLog log = UnifiedLog.create(folder, new LogConfig(settings), 0L, Long.MAX_VALUE, scheduler,
            new BrokerTopicStats(), Time.SYSTEM, Integer.MAX_VALUE, new ProducerStateManagerConfig(Integer.MAX_VALUE, false),
            Integer.MAX_VALUE, new LogDirFailureChannel(1), true, Optional.empty());
        Throttler throttler = new Throttler(Double.MAX_VALUE, 1000, "oracle", "bytes", Time.SYSTEM);
        Cleaner cleaner = new Cleaner(0, new SkimpyOffsetMap((int) numbers[3]), 1 << 16, 1 << 20, 0.9, throttler,
            Time.SYSTEM, partition -> { });
        return cleaner.doClean(new LogToClean(log, numbers[1], numbers[2], false), numbers[0]).getKey();
    }

    static void describe(File folder, long end, StringBuilder out) throws Exception {
        out.append("clean up to ").append(end).append('\n');
        String[] names = folder.list();
        Arrays.sort(names);
        for (String name : names) {
            File file = new File(folder, name);
            if (name.endsWith(".log")) {
                out.append(name).append('\n');
                for (RecordBatch batch : FileRecords.open(file, false).batches()) {
                    describe(batch, out);
                }
            } else if (name.endsWith(".txnindex") && file.length() > 0) {
                out.append(name).append(' ').append(HexFormat.of().formatHex(Files.readAllBytes(file.toPath()))).append('\n');
            }
        }
    }

    static void describe(RecordBatch batch, StringBuilder out) {
        boolean plain = batch.compressionType() == CompressionType.NONE;
        out.append("  ").append(batch.baseOffset()).append("..").append(batch.lastOffset());
        out.append(" epoch ").append(batch.partitionLeaderEpoch());
        out.append(" producer ").append(batch.producerId()).append('/').append(batch.producerEpoch());
        out.append(" sequence ").append(batch.baseSequence());
        out.append(" codec ").append(batch.compressionType().id);
        out.append(" time ").append(batch.maxTimestamp()).append(" type ").append(batch.timestampType().id);
        out.append(batch.isTransactional() ? " transactional" : "").append(batch.isControlBatch() ? " control" : "");
        out.append(" horizon ").append(batch.deleteHorizonMs().orElse(-1));
        // What the codecs make of the same records differs.
        out.append(plain ? " crc " + batch.checksum() : "").append(" records");
        for (Record record : batch) {
            out.append(' ').append(record.offset());
        }
        out.append('\n');
    }
}
