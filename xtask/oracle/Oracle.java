// Asks Kafka's own generated classes what a message looks like on the wire.
//
// Reads names of message classes, one a line, and for each version writes `count` lines "name version hex" with random
// content. What can be in a message at a version is taken from the schema that the class itself carries.

import java.lang.reflect.Field;
import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Scanner;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.utils.internals.ImplicitLinkedHashCollection;

public class Oracle {
    static Random random;

    public static void main(String[] args) throws Exception {
        long seed = Long.parseLong(args[0]);
        int count = Integer.parseInt(args[1]);
        Scanner names = new Scanner(System.in);
        StringBuilder out = new StringBuilder();
        while (names.hasNextLine()) {
            String name = names.nextLine().trim();
            random = new Random(seed ^ name.hashCode());
            Class<?> type = Class.forName(name);
            Schema[] schemas = (Schema[]) type.getField("SCHEMAS").get(null);
            Message empty = (Message) type.getDeclaredConstructor().newInstance();
            for (short version = empty.lowestSupportedVersion(); version <= empty.highestSupportedVersion(); version++) {
                for (int i = 0; i < count; i++) {
                    Message message = (Message) fill(type, schemas[version], i == 0);
                    ByteBuffer bytes = MessageUtil.toByteBufferAccessor(message, version).buffer();
                    byte[] array = new byte[bytes.remaining()];
                    bytes.get(array);
                    String hex = array.length == 0 ? "-" : HexFormat.of().formatHex(array);
                    out.append(type.getSimpleName()).append(' ').append(version).append(' ').append(hex).append('\n');
                }
            }
        }
        System.out.print(out);
    }

    /** A message, or a part of one; a plain one has only what it must have. */
    static Object fill(Class<?> type, Schema schema, boolean plain) throws Exception {
        Object object = type.getDeclaredConstructor().newInstance();
        for (BoundField bound : schema.fields()) {
            if (bound.def.type instanceof TaggedFields tagged) {
                for (Map.Entry<Integer, org.apache.kafka.common.protocol.types.Field> tag : tagged.fields().entrySet()) {
                    if (!plain && random.nextBoolean()) set(object, tag.getValue().name, tag.getValue().type, plain);
                }
            } else {
                set(object, bound.def.name, bound.def.type, plain);
            }
        }
        return object;
    }

    static void set(Object object, String name, Type type, boolean plain) throws Exception {
        Field field = find(object.getClass(), name);
        field.setAccessible(true);
        if (type.isNullable() && random.nextInt(3) == 0) {
            field.set(object, null);
        } else {
            field.set(object, value(field.getType(), field.getGenericType(), type, plain));
        }
    }

    static Field find(Class<?> type, String snake) throws NoSuchFieldException {
        String wanted = snake.replace("_", "").toLowerCase(Locale.ROOT);
        for (Field field : type.getDeclaredFields()) {
            if (field.getName().replace("_", "").toLowerCase(Locale.ROOT).equals(wanted)) return field;
        }
        throw new NoSuchFieldException(type + " " + snake);
    }

    static Object value(Class<?> java, java.lang.reflect.Type generic, Type type, boolean plain) throws Exception {
        if (java == boolean.class || java == Boolean.class) return random.nextBoolean();
        if (java == byte.class || java == Byte.class) return (byte) random.nextInt();
        if (java == short.class || java == Short.class) return (short) random.nextInt();
        if (java == int.class || java == Integer.class) return type == Type.UINT16 ? random.nextInt(65536) : random.nextInt();
        if (java == long.class || java == Long.class) return random.nextBoolean() ? random.nextLong() : random.nextInt(1000);
        if (java == double.class || java == Double.class) return random.nextDouble() * 1e6;
        if (java == String.class) return text();
        if (java == Uuid.class) return new Uuid(random.nextLong(), random.nextLong());
        if (java == byte[].class) return bytes();
        if (java == ByteBuffer.class) return ByteBuffer.wrap(bytes());
        if (java.getSimpleName().equals("BaseRecords") || java == MemoryRecords.class) return MemoryRecords.readableRecords(ByteBuffer.wrap(bytes()));
        if (ImplicitLinkedHashCollection.class.isAssignableFrom(java)) return fillCollection(java, type, plain);
        if (java == List.class) {
            Class<?> element = (Class<?>) ((ParameterizedType) generic).getActualTypeArguments()[0];
            List<Object> list = new ArrayList<>();
            for (int i = length(plain); i > 0; i--) list.add(value(element, element, type.arrayElementType().get(), plain));
            return list;
        }
        return fill(java, (Schema) type, plain);
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    static Object fillCollection(Class<?> java, Type type, boolean plain) throws Exception {
        Collection collection = (Collection) java.getDeclaredConstructor().newInstance();
        Class<?> element = (Class<?>) ((ParameterizedType) java.getGenericSuperclass()).getActualTypeArguments()[0];
        for (int i = length(plain); i > 0; i--) {
            collection.add(fill(element, (Schema) type.arrayElementType().get(), plain));
        }
        return collection;
    }

    static int length(boolean plain) {
        return plain ? 0 : random.nextInt(12) == 0 ? 3 : random.nextInt(3);
    }

    static byte[] bytes() {
        byte[] bytes = new byte[random.nextInt(20) == 0 ? 200 : random.nextInt(12)];
        random.nextBytes(bytes);
        return bytes;
    }

    static String text() {
        String[] some = {"", "a", "orders", "κλειδί-鍵", "x".repeat(130), "klamm-0", "😀"};
        return some[random.nextInt(some.length)];
    }
}
