"""Kafka's message definitions, read from its jar, and an encoder and decoder that follow them.

Nothing here comes from Klamm's own codec: both brokers are asked and read by the definitions of Kafka alone. A message
is a dictionary of field names, a UUID is 32 hex digits or a symbol such as `$t3`, bytes are hex digits.
"""
import glob, json, re, struct, zipfile

ZERO = "0" * 32
INTEGERS = {"int8": ">b", "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "int64": ">q"}
ENDLESS = 32767


class Malformed(Exception):
    """Bytes that are no message of the definition."""


def versions(text):
    """The first and last version of a range such as `3+`; an empty range for `none`."""
    if not text or text == "none":
        return (1, 0)
    if text.endswith("+"):
        return (int(text[:-1]), ENDLESS)
    first, _, last = text.partition("-")
    return (int(first), int(last or first))


def within(version, bounds):
    return bounds[0] <= version <= bounds[1]


class Field:
    def __init__(self, json, structs):
        self.name = json["name"][0].upper() + json["name"][1:]
        kind = json["type"]
        self.is_array = kind.startswith("[]")
        self.type = kind.removeprefix("[]")
        self.versions = versions(json["versions"])
        self.nullable = versions(json.get("nullableVersions"))
        self.tag = json.get("tag")
        self.tagged = versions(json.get("taggedVersions"))
        self.entity = json.get("entityType")
        own = json.get("fields") or structs.get(self.type)
        self.fields = own and [Field(field, structs) for field in own]
        self.default = self.of_default(json.get("default"))

    def of_default(self, text):
        if self.is_array:
            return None if text == "null" else []
        if self.fields:
            return None if text == "null" else {}
        if text == "null":
            return None
        if self.type in INTEGERS:
            return int(str(text or 0), 0)
        if self.type == "bool":
            return str(text).lower() == "true"
        return {"string": text or "", "uuid": ZERO, "float64": 0.0}.get(self.type, "")


class Message:
    def __init__(self, json):
        structs = {each["name"]: each["fields"] for each in json.get("commonStructs", [])}
        self.name, self.key = json["name"], json.get("apiKey")
        self.flexible = versions(json.get("flexibleVersions"))
        self.fields = [Field(field, structs) for field in json.get("fields", [])]

    def is_flexible(self, version):
        return within(version, self.flexible)


class Api:
    """A request and its response."""

    def __init__(self, request, response):
        self.request, self.response, self.key = request, response, request.key
        self.name = request.name.removesuffix("Request")


def load(folder):
    """The APIs in the jar `kafka-clients` below `folder`, by their keys."""
    jar = zipfile.ZipFile(glob.glob(f"{folder}/kafka-clients-*.jar")[0])

    def read(name):
        text = re.sub(r"^\s*//.*$", "", jar.read(name).decode(), flags=re.M)
        return Message(json.loads(text))

    apis = {}
    for name in jar.namelist():
        if name.startswith("common/message/") and name.endswith("Request.json"):
            request, response = read(name), read(name.replace("Request.json", "Response.json"))
            apis[request.key] = Api(request, response)
    return apis


def varint(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


class Writer:
    """Encodes a message; `lengths` has the places of all lengths, as (offset, bytes)."""

    def __init__(self, version, flexible, symbols):
        self.version, self.flexible, self.symbols = version, flexible, symbols
        self.out, self.lengths = bytearray(), []

    def struct(self, fields, value):
        tagged = []
        for field in fields:
            if not within(self.version, field.versions):
                continue
            content = value.get(field.name, field.default)
            if within(self.version, field.tagged):
                if content != field.default:
                    tagged.append((field, content))
                continue
            self.field(field, content)
        if self.flexible:
            self.tags(tagged)

    def tags(self, tagged):
        self.out += varint(len(tagged))
        for field, content in sorted(tagged, key=lambda pair: pair[0].tag):
            inner = Writer(self.version, self.flexible, self.symbols)
            inner.field(field, content)
            self.out += varint(field.tag) + varint(len(inner.out)) + inner.out

    def field(self, field, value):
        if not field.is_array:
            return self.value(field, value)
        if value is None and not within(self.version, field.nullable):
            value = []
        self.length(None if value is None else len(value), ">i")
        for each in value or []:
            self.value(field, each)

    def length(self, count, form):
        start = len(self.out)
        if self.flexible:
            self.out += varint(0 if count is None else count + 1)
        else:
            self.out += struct.pack(form, -1 if count is None else count)
        self.lengths.append((start, len(self.out) - start))

    def bytes(self, content, form):
        self.length(None if content is None else len(content), form)
        self.out += content or b""

    def value(self, field, value):
        if value is None and not within(self.version, field.nullable):
            value = {} if field.fields else ""
        if field.fields:
            if field.nullable[0] <= field.nullable[1] and not field.is_array:
                self.out += struct.pack(">b", -1 if value is None else 1)
            if value is not None:
                self.struct(field.fields, value)
        elif field.type in INTEGERS:
            bits = 8 * struct.calcsize(INTEGERS[field.type])
            self.out += (int(value or 0) & ((1 << bits) - 1)).to_bytes(bits // 8, "big")
        elif field.type == "bool":
            self.out += bytes([bool(value)])
        elif field.type == "float64":
            self.out += struct.pack(">d", value or 0)
        elif field.type == "uuid":
            value = value or ZERO
            self.out += bytes.fromhex(self.symbols.get(value, "f" * 32) if value[0] == "$" else value)
        elif field.type == "string":
            if value is not None and value.startswith("$"):
                value = self.symbols.get(value, value)
            self.bytes(None if value is None else value.encode(), ">h")
        else:
            self.bytes(None if value is None else bytes.fromhex(value), ">i")


class Reader:
    """Decodes a message."""

    def __init__(self, data, version, flexible):
        self.data, self.at, self.version, self.flexible = data, 0, version, flexible

    def take(self, count):
        if count < 0 or self.at + count > len(self.data):
            raise Malformed(f"{count} bytes at {self.at} of {len(self.data)}")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def varint(self):
        number = shift = 0
        while True:
            byte = self.take(1)[0]
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    def length(self, form):
        count = self.varint() - 1 if self.flexible else self.number(form)
        return None if count < 0 else count

    def struct(self, fields):
        value = {}
        for field in fields:
            if not within(self.version, field.versions):
                continue
            if within(self.version, field.tagged):
                value[field.name] = field.default
            else:
                value[field.name] = self.field(field)
        if self.flexible:
            known = {f.tag: f for f in fields if within(self.version, f.tagged)}
            for _ in range(self.varint()):
                tag, size = self.varint(), self.varint()
                inner = Reader(self.take(size), self.version, self.flexible)
                if tag in known:
                    value[known[tag].name] = inner.field(known[tag])
                else:
                    value[f"tag {tag}"] = inner.data.hex()
        return value

    def field(self, field):
        if not field.is_array:
            return self.value(field)
        count = self.length(">i")
        if count is not None and count > len(self.data):
            raise Malformed(f"{count} elements")
        return None if count is None else [self.value(field) for _ in range(count)]

    def value(self, field):
        if field.fields:
            is_nullable = field.nullable[0] <= field.nullable[1] and not field.is_array
            return None if is_nullable and self.number(">b") < 0 else self.struct(field.fields)
        if field.type in INTEGERS:
            return self.number(INTEGERS[field.type])
        if field.type == "bool":
            return self.number(">b") != 0
        if field.type == "float64":
            return self.number(">d")
        if field.type == "uuid":
            return self.take(16).hex()
        count = self.length(">h" if field.type == "string" else ">i")
        content = None if count is None else self.take(count)
        if content is None or field.type != "string":
            return content if content is None else content.hex()
        return content.decode()


def request(api, version, correlation, value, symbols, client="frames"):
    """A frame without its length, the offset of its body, and the places of the lengths in it."""
    flexible = api.request.is_flexible(version)
    head = struct.pack(">hhih", api.key, version, correlation, len(client)) + client.encode()
    head += b"\0" if flexible else b""
    writer = Writer(version, flexible, symbols)
    writer.struct(api.request.fields, value)
    return head + writer.out, len(head), [(len(head) + at, size) for at, size in writer.lengths]


def response(api, version, frame):
    """The message in a frame without its length, whose correlation id was read."""
    flexible = api.response.is_flexible(version)
    reader = Reader(frame, version, flexible)
    if flexible and api.key != 18:
        for _ in range(reader.varint()):
            reader.varint()
            reader.take(reader.varint())
    value = reader.struct(api.response.fields)
    if reader.at != len(frame):
        value["bytes that are left"] = len(frame) - reader.at
    return value
