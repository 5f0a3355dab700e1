// Kafka's own assignors: what they make of random inputs, and how long they take.
//
// `vectors SEED COUNT` writes COUNT lines for each of the six, in the form that `assignors.rs` reads:
//   KIND | TOPIC[@ID]:RACK+RACK,... ... | MEMBER;INSTANCE;RACK;TOPICS;OWNED;GENERATION ... | MEMBER=TOPIC:PARTITION,... ...
// where nothing is given to anybody, Kafka's has failed.
// `time` reads lines "ROUND" and answers each with one of "NAME CASE MILLISECONDS ..." for all cases of `benches/assignors.rs`.

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Scanner;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.GroupSubscription;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.coordinator.group.api.assignor.ConsumerGroupPartitionAssignor;
import org.apache.kafka.coordinator.group.api.assignor.GroupAssignment;
import org.apache.kafka.coordinator.group.api.assignor.SubscribedTopicDescriber;
import org.apache.kafka.coordinator.group.api.assignor.SubscriptionType;
import org.apache.kafka.coordinator.group.assignor.UniformAssignor;
import org.apache.kafka.coordinator.group.modern.Assignment;
import org.apache.kafka.coordinator.group.modern.GroupSpecImpl;
import org.apache.kafka.coordinator.group.modern.MemberSubscriptionAndAssignmentImpl;

public class AssignorOracle {
    static final String[] CLIENT = {"range", "roundrobin", "sticky", "coop"};
    static final String[] SERVER = {"srange", "suniform"};
    static Random random;

    public static void main(String[] args) {
        if (args[0].equals("time")) {
            Scanner lines = new Scanner(System.in);
            while (lines.hasNextLine()) {
                lines.nextLine();
                System.out.println(timings());
            }
            return;
        }
        random = new Random(Long.parseLong(args[1]));
        StringBuilder out = new StringBuilder();
        for (int i = Integer.parseInt(args[2]); i > 0; i--) {
            for (String kind : CLIENT) client(kind, out);
            for (String kind : SERVER) server(kind, out);
        }
        System.out.print(out);
    }

    static ConsumerPartitionAssignor clientAssignor(String kind) {
        switch (kind) {
            case "range": return new org.apache.kafka.clients.consumer.RangeAssignor();
            case "roundrobin": return new RoundRobinAssignor();
            case "sticky": return new StickyAssignor();
            default: return new CooperativeStickyAssignor();
        }
    }

    static ConsumerGroupPartitionAssignor serverAssignor(String kind) {
        return kind.equals("srange") ? new org.apache.kafka.coordinator.group.assignor.RangeAssignor() : new UniformAssignor();
    }

    // ---- random inputs

    static String name() {
        String letters = "abcdefghijklmnopqrstuvwxyz0123456789-";
        StringBuilder name = new StringBuilder();
        for (int n = 1 + random.nextInt(9); n > 0; n--) name.append(letters.charAt(random.nextInt(letters.length())));
        return name.toString();
    }

    static Set<String> names(int count, String prefix) {
        Set<String> names = new TreeSet<>();
        while (names.size() < count) names.add(prefix + name());
        return names;
    }

    static int few(int most, int rarely) {
        return 1 + random.nextInt(random.nextInt(12) == 0 ? rarely : most);
    }

    static void client(String kind, StringBuilder out) {
        boolean racks = random.nextBoolean(), same = random.nextBoolean(), instances = random.nextInt(3) == 0;
        int generations = random.nextInt(3) == 0 ? 3 : 1, generation = 3 + random.nextInt(4), many = 1 + random.nextInt(3);
        Map<String, List<PartitionInfo>> topics = clientTopics(racks, many);
        List<String> topicNames = new ArrayList<>(topics.keySet()), ids = new ArrayList<>(names(few(7, 60), "m"));
        Collections.shuffle(ids, random);
        Map<String, List<TopicPartition>> owned = clientOwned(topics, ids);
        Map<String, Subscription> byId = new TreeMap<>();
        List<String> told = new ArrayList<>();
        for (String id : ids) {
            List<String> wanted = new ArrayList<>();
            for (String topic : topicNames) if (same || random.nextInt(5) < 3) wanted.add(topic);
            if (!same && random.nextInt(15) == 0) wanted.add("nometa");
            Collections.shuffle(wanted, random);
            List<TopicPartition> own = owned.getOrDefault(id, List.of());
            int in = own.isEmpty() && random.nextBoolean() ? -1 : generation - random.nextInt(generations);
            String rack = racks && random.nextInt(10) > 0 ? "r" + random.nextInt(many) : null;
            String instance = instances && random.nextInt(3) > 0 ? "i" + name() + id : null;
            ByteBuffer words = kind.equals("sticky") && in >= 0 ? words(own, in) : null;
            Subscription subscription = new Subscription(wanted, words, own, in, Optional.ofNullable(rack));
            subscription.setGroupInstanceId(Optional.ofNullable(instance));
            byId.put(id, subscription);
            List<TopicPartition> read = !kind.equals("sticky") ? own : words == null ? List.of() : read(words);
            told.add(String.join(";", id, or(instance), or(rack), String.join(",", wanted), partitions(read), "" + in));
        }
        // As a consumer puts its members, one after the other, into the table that it hands over.
        Map<String, Subscription> members = new HashMap<>();
        byId.forEach(members::put);
        List<PartitionInfo> all = new ArrayList<>();
        topics.values().forEach(all::addAll);
        Set<Node> nodes = all.stream().flatMap(p -> List.of(p.replicas()).stream()).collect(Collectors.toSet());
        Cluster cluster = new Cluster("c", nodes, all, Set.of(), Set.of());
        Map<String, String> given = new TreeMap<>();
        try {
            clientAssignor(kind).assign(cluster, new GroupSubscription(members)).groupAssignment()
                .forEach((id, assignment) -> given.put(id, partitions(assignment.partitions())));
        } catch (NullPointerException e) {
            given.clear();
        }
        line(kind, topics.entrySet().stream().map(t -> t.getKey() + ":" + racks(t.getValue())), told, given, out);
    }

    static Map<String, List<PartitionInfo>> clientTopics(boolean racks, int many) {
        Node[] nodes = new Node[4];
        for (int i = 0; i < 4; i++) nodes[i] = new Node(i, "h" + i, 1, racks && random.nextInt(8) > 0 ? "r" + random.nextInt(many) : null);
        Map<String, List<PartitionInfo>> topics = new TreeMap<>();
        int common = 1 + random.nextInt(8);
        for (String topic : names(few(4, 25), "")) {
            List<PartitionInfo> partitions = new ArrayList<>();
            for (int p = random.nextInt(3) == 0 ? common : 1 + random.nextInt(9); p > 0; p--) {
                Set<Node> replicas = new LinkedHashSet<>();
                for (int n = 1 + random.nextInt(2); replicas.size() < n; ) replicas.add(nodes[random.nextInt(4)]);
                Node[] them = replicas.toArray(new Node[0]);
                partitions.add(new PartitionInfo(topic, partitions.size(), them[0], them, them));
            }
            topics.put(topic, partitions);
        }
        return topics;
    }

    static Map<String, List<TopicPartition>> clientOwned(Map<String, List<PartitionInfo>> topics, List<String> ids) {
        double part = random.nextInt(3) == 0 ? 0 : random.nextBoolean() ? 0.6 : 1;
        boolean twice = random.nextInt(4) == 0;
        int owners = 1 + random.nextInt(ids.size());
        List<TopicPartition> all = new ArrayList<>();
        topics.values().forEach(of -> of.forEach(p -> all.add(new TopicPartition(p.topic(), p.partition()))));
        Collections.shuffle(all, random);
        Map<String, List<TopicPartition>> owned = new HashMap<>();
        for (TopicPartition partition : all) {
            if (random.nextDouble() < part) owned.computeIfAbsent(ids.get(random.nextInt(owners)), k -> new ArrayList<>()).add(partition);
            for (int n = twice ? Math.max(0, random.nextInt(8) - 5) : 0; n > 0; n--) {
                List<TopicPartition> own = owned.computeIfAbsent(ids.get(random.nextInt(ids.size())), k -> new ArrayList<>());
                if (!own.contains(partition)) own.add(partition);
            }
        }
        return owned;
    }

    // Ids and names are such that Kafka's hash tables are in their order.
    static void server(String kind, StringBuilder out) {
        boolean same = random.nextBoolean(), instances = random.nextInt(3) == 0;
        Map<Uuid, Integer> counts = new LinkedHashMap<>();
        Map<Uuid, String> topicNames = new HashMap<>();
        for (int k = few(4, 12); k > 0; k--) {
            Uuid id = new Uuid(0, counts.size() + 1);
            counts.put(id, 1 + random.nextInt(random.nextInt(6) == 0 ? 40 : 9));
        }
        List<String> ids = new ArrayList<>(names(few(7, 60), "m"));
        double part = random.nextInt(3) == 0 ? 0 : random.nextBoolean() ? 0.6 : 1;
        int owners = 1 + random.nextInt(ids.size());
        Map<String, Map<Uuid, Set<Integer>>> owned = new HashMap<>();
        counts.forEach((topic, count) -> {
            for (int p = 0; p < count; p++) {
                if (random.nextDouble() >= part) continue;
                String owner = ids.get(random.nextInt(owners));
                owned.computeIfAbsent(owner, k -> new TreeMap<>()).computeIfAbsent(topic, k -> new TreeSet<>()).add(p);
            }
        });
        Map<String, Set<Uuid>> wanted = new LinkedHashMap<>();
        for (String id : ids) {
            Set<Uuid> topics = new TreeSet<>();
            for (Uuid topic : counts.keySet()) if (same || random.nextInt(5) < 3) topics.add(topic);
            wanted.put(id, topics);
        }
        // Where members want different topics, ids decide, whatever the names are.
        boolean byId = new LinkedHashSet<>(wanted.values()).size() > 1;
        for (Uuid id : counts.keySet()) {
            long number = id.getLeastSignificantBits();
            topicNames.put(id, String.format("t%02d", byId ? 99 - number : number));
        }
        Map<String, String> instanceOf = new HashMap<>();
        List<String> told = new ArrayList<>();
        for (String id : ids) {
            if (instances && random.nextInt(3) > 0) instanceOf.put(id, "i" + name() + id);
            String own = partitions(owned.getOrDefault(id, Map.of()), topicNames);
            String list = wanted.get(id).stream().map(topicNames::get).collect(Collectors.joining(","));
            told.add(String.join(";", id, instanceOf.getOrDefault(id, ""), "", list, own, own.isEmpty() ? "-1" : "1"));
        }
        Map<String, String> given = new TreeMap<>();
        for (String id : ids) given.put(id, "");
        assign(serverAssignor(kind), counts, wanted, owned, instanceOf).forEach((id, own) -> given.put(id, partitions(own, topicNames)));
        line(kind, counts.entrySet().stream().map(t -> topicNames.get(t.getKey()) + "@" + t.getKey().getLeastSignificantBits()
            + ":" + String.join(",", Collections.nCopies(t.getValue(), "-"))), told, given, out);
    }

    static Map<String, Map<Uuid, Set<Integer>>> assign(ConsumerGroupPartitionAssignor assignor, Map<Uuid, Integer> counts,
            Map<String, Set<Uuid>> wanted, Map<String, Map<Uuid, Set<Integer>>> owned, Map<String, String> instanceOf) {
        return byMember(assignor.assign(group(wanted, owned, instanceOf), describer(counts)));
    }

    static Map<String, Map<Uuid, Set<Integer>>> byMember(GroupAssignment assignment) {
        Map<String, Map<Uuid, Set<Integer>>> given = new TreeMap<>();
        assignment.members().forEach((id, of) -> given.put(id, of.partitions()));
        return given;
    }

    static SubscribedTopicDescriber describer(Map<Uuid, Integer> counts) {
        return new SubscribedTopicDescriber() {
            public int numPartitions(Uuid topic) { return counts.getOrDefault(topic, -1); }
            public Set<String> racksForPartition(Uuid topic, int partition) { return Set.of(); }
        };
    }

    // What a broker has of a group before it assigns.
    static GroupSpecImpl group(Map<String, Set<Uuid>> wanted, Map<String, Map<Uuid, Set<Integer>>> owned, Map<String, String> instanceOf) {
        Map<String, MemberSubscriptionAndAssignmentImpl> members = new LinkedHashMap<>();
        Map<Uuid, Map<Integer, String>> owners = new HashMap<>();
        wanted.forEach((id, topics) -> {
            Map<Uuid, Set<Integer>> own = owned.getOrDefault(id, new TreeMap<>());
            own.forEach((topic, partitions) -> partitions.forEach(p -> owners.computeIfAbsent(topic, k -> new HashMap<>()).put(p, id)));
            members.put(id, new MemberSubscriptionAndAssignmentImpl(Optional.empty(), Optional.ofNullable(instanceOf.get(id)), topics, new Assignment(own)));
        });
        boolean same = new LinkedHashSet<>(wanted.values()).size() <= 1;
        SubscriptionType type = same ? SubscriptionType.HOMOGENEOUS : SubscriptionType.HETEROGENEOUS;
        return new GroupSpecImpl(members, type, owners);
    }

    // ---- lines

    static void line(String kind, java.util.stream.Stream<String> topics, List<String> members, Map<String, String> given, StringBuilder out) {
        String all = given.entrySet().stream().map(one -> one.getKey() + "=" + one.getValue()).collect(Collectors.joining(" "));
        out.append(String.join(" | ", kind, topics.collect(Collectors.joining(" ")), String.join(" ", members), all)).append('\n');
    }

    static String or(String text) {
        return text == null ? "" : text;
    }

    static String partitions(Collection<TopicPartition> partitions) {
        return partitions.stream().map(p -> p.topic() + ":" + p.partition()).collect(Collectors.joining(","));
    }

    static String partitions(Map<Uuid, Set<Integer>> partitions, Map<Uuid, String> topicNames) {
        return new TreeMap<>(partitions).entrySet().stream()
            .flatMap(of -> new TreeSet<>(of.getValue()).stream().map(p -> topicNames.get(of.getKey()) + ":" + p)).collect(Collectors.joining(","));
    }

    static String racks(List<PartitionInfo> partitions) {
        return partitions.stream().map(p -> List.of(p.replicas()).stream().map(n -> n.rack() == null || n.rack().isEmpty() ? "-" : n.rack())
            .collect(Collectors.joining("+"))).collect(Collectors.joining(","));
    }

    // What a sticky assignor writes beside a subscription.
    static ByteBuffer words(List<TopicPartition> own, int generation) {
        StickyAssignor sticky = new StickyAssignor();
        sticky.onAssignment(new ConsumerPartitionAssignor.Assignment(own), new ConsumerGroupMetadata("g", generation, "m", Optional.empty()));
        return sticky.subscriptionUserData(Set.of());
    }

    // What it reads of that, in its order.
    static List<TopicPartition> read(ByteBuffer words) {
        ByteBuffer bytes = words.duplicate();
        List<TopicPartition> partitions = new ArrayList<>();
        for (int topics = bytes.getInt(); topics > 0; topics--) {
            byte[] topic = new byte[bytes.getShort()];
            bytes.get(topic);
            for (int n = bytes.getInt(); n > 0; n--) partitions.add(new TopicPartition(new String(topic), bytes.getInt()));
        }
        return partitions;
    }

    // ---- time: 1,000 members and 10 topics of 1,000 partitions; one leaves; half of them want only the first topic

    static String timings() {
        StringBuilder out = new StringBuilder();
        Map<String, List<PartitionInfo>> topics = new TreeMap<>();
        Node node = new Node(0, "h", 1);
        Node[] nodes = {node};
        Map<Uuid, Integer> counts = new LinkedHashMap<>();
        for (int t = 0; t < 10; t++) {
            List<PartitionInfo> partitions = new ArrayList<>();
            for (int p = 0; p < 1000; p++) partitions.add(new PartitionInfo("topic-" + t, p, node, nodes, nodes));
            topics.put("topic-" + t, partitions);
            counts.put(new Uuid(0, t + 1), 1000);
        }
        List<PartitionInfo> all = new ArrayList<>();
        topics.values().forEach(all::addAll);
        Cluster cluster = new Cluster("c", List.of(node), all, Set.of(), Set.of());
        for (String kind : CLIENT) {
            Map<String, List<TopicPartition>> fresh = timeClient(kind, "fresh", cluster, 1000, Map.of(), false, out);
            timeClient(kind, "leave", cluster, 999, fresh, false, out);
            timeClient(kind, "mixed", cluster, 1000, fresh, true, out);
        }
        for (String kind : SERVER) {
            Map<String, Map<Uuid, Set<Integer>>> fresh = timeServer(kind, "fresh", counts, 1000, Map.of(), false, out);
            timeServer(kind, "leave", counts, 999, fresh, false, out);
            timeServer(kind, "mixed", counts, 1000, fresh, true, out);
        }
        return out.toString();
    }

    static Map<String, List<TopicPartition>> timeClient(String kind, String what, Cluster cluster, int count,
            Map<String, List<TopicPartition>> owned, boolean mixed, StringBuilder out) {
        Map<String, Subscription> members = new HashMap<>();
        List<String> topics = new ArrayList<>(new TreeSet<>(cluster.topics()));
        for (int m = 0; m < count; m++) {
            String id = String.format("member-%05d", m);
            List<TopicPartition> own = owned.getOrDefault(id, List.of());
            ByteBuffer words = kind.equals("sticky") && !own.isEmpty() ? words(own, 1) : null;
            List<String> wanted = mixed && m % 2 == 1 ? topics.subList(0, 1) : topics;
            // A sticky member has given all up when it joins, and says what it had in its words alone.
            members.put(id, new Subscription(wanted, words, words == null ? own : List.of(), own.isEmpty() ? -1 : 1, Optional.empty()));
        }
        ConsumerPartitionAssignor assignor = clientAssignor(kind);
        Map<String, List<TopicPartition>> given = new HashMap<>();
        timed(kind, what, out, () -> assignor.assign(cluster, new GroupSubscription(members)))
            .groupAssignment().forEach((id, of) -> given.put(id, of.partitions()));
        return given;
    }

    static Map<String, Map<Uuid, Set<Integer>>> timeServer(String kind, String what, Map<Uuid, Integer> counts, int count,
            Map<String, Map<Uuid, Set<Integer>>> owned, boolean mixed, StringBuilder out) {
        Map<String, Set<Uuid>> wanted = new LinkedHashMap<>();
        Set<Uuid> all = new LinkedHashSet<>(counts.keySet()), one = Set.of(new Uuid(0, 1));
        for (int m = 0; m < count; m++) wanted.put(String.format("member-%05d", m), mixed && m % 2 == 1 ? one : all);
        ConsumerGroupPartitionAssignor assignor = serverAssignor(kind);
        GroupSpecImpl group = group(wanted, owned, Map.of());
        SubscribedTopicDescriber describer = describer(counts);
        return byMember(timed(kind, what, out, () -> assignor.assign(group, describer)));
    }

    static <T> T timed(String kind, String what, StringBuilder out, Supplier<T> run) {
        long began = System.nanoTime();
        T done = run.get();
        out.append(String.format("%s %s %.3f ", kind, what, (System.nanoTime() - began) / 1e6));
        return done;
    }
}
