"""Differences between two answers, and the reviewed list of those that may be."""
import fnmatch, json

# Fields that tell the elements of an array apart.
KEYS = ("Name", "TopicName", "Topic", "ApiKey", "Feature", "ResourceName", "ConfigName", "GroupId", "TransactionalId", "Key",
        "PartitionIndex", "Partition", "Index", "TopicId")
# Arrays whose elements differ in kind, so that their names belong to the path.
NAMED = {"Configs", "ApiKeys", "SupportedFeatures", "FinalizedFeatures", "ConfigResources", "ConfigEntries"}


def show(value):
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def key_of(element):
    return next((show(element[key]) for key in KEYS if key in element), None) if isinstance(element, dict) else None


def differences(kafka, klamm, path=""):
    """(path, Kafka's, Klamm's) of whatever differs."""
    if isinstance(kafka, dict) and isinstance(klamm, dict):
        for key in kafka:
            yield from differences(kafka[key], klamm.get(key), f"{path}.{key}" if path else key)
        for key in klamm.keys() - kafka.keys():
            yield f"{path}.{key}", "absent", show(klamm[key])
    elif isinstance(kafka, list) and isinstance(klamm, list):
        yield from of_arrays(kafka, klamm, path)
    elif kafka != klamm and (kind := kind_of(path, kafka, klamm)):
        yield path, *kind
    elif kafka != klamm:
        if isinstance(kafka, str) and isinstance(klamm, dict) or isinstance(klamm, str) and isinstance(kafka, dict):
            kafka = kafka if isinstance(kafka, str) else f"answer {codes(kafka)}"
            klamm = klamm if isinstance(klamm, str) else f"answer {codes(klamm)}"
        yield path or "outcome", show(kafka), show(klamm)


def kind_of(path, kafka, klamm):
    """Words instead of values where these are many: texts for people, offsets and records."""
    if path.endswith("Message"):
        return ("text", "another text") if kafka and klamm else (show(kafka) if not kafka else "text", show(klamm) if not klamm else "text")
    if path.endswith("Records"):
        return ("records", "other records") if kafka and klamm else ("records" if kafka else "none", "records" if klamm else "none")
    if path.endswith(("Offset", "Watermark")) and isinstance(kafka, int) and isinstance(klamm, int):
        words = [number if number < 0 else "an offset" for number in (kafka, klamm)]
        return str(words[0]), "another offset" if kafka >= 0 and klamm >= 0 else str(words[1])
    return None


def codes(value):
    """The error codes in an answer."""
    found = set()

    def walk(value):
        for each in value.values() if isinstance(value, dict) else value:
            if isinstance(each, (dict, list)):
                walk(each)
        if isinstance(value, dict) and "ErrorCode" in value:
            found.add(value["ErrorCode"])

    walk(value)
    return ",".join(str(code) for code in sorted(found)) or "-"


def of_arrays(kafka, klamm, path):
    if kafka == klamm:
        return
    ordered = sorted(kafka, key=show), sorted(klamm, key=show)
    if ordered[0] == ordered[1]:
        yield f"{path}[]", "order", "another order"
        return
    keys = [key_of(each) for each in kafka], [key_of(each) for each in klamm]
    if None in keys[0] + keys[1] or any(len(set(each)) < len(each) for each in keys):
        if len(kafka) != len(klamm):
            few, many = "fewer elements", "more elements"
            yield f"{path}[]", *((few, many) if len(kafka) < len(klamm) else (many, few))
        else:
            for ours, theirs in zip(*ordered) if sorted(keys[0], key=show) == sorted(keys[1], key=show) else zip(kafka, klamm):
                yield from differences(ours, theirs, f"{path}[]")
        return
    both = [key for key in keys[0] if key in keys[1]]
    if both != [key for key in keys[1] if key in keys[0]]:
        yield f"{path}[]", "order", "another order"
    by_key = dict(zip(keys[0], kafka)), dict(zip(keys[1], klamm))
    for key in keys[0] + [key for key in keys[1] if key not in keys[0]]:
        at = f"{path}[{key if path.rpartition('.')[2] in NAMED else ''}]"
        if key not in by_key[1]:
            yield at, "there", "absent"
        elif key not in by_key[0]:
            yield at, "absent", "there"
        else:
            yield from differences(by_key[0][key], by_key[1][key], at)


class Line:
    """A reviewed difference: API, versions, path, Kafka's value, Klamm's value, reason."""

    def __init__(self, text):
        self.text, self.count = text, 0
        parts = [part.strip() for part in text.split(" | ")]
        if len(parts) != 6 or not parts[5]:
            raise SystemExit(f"expected API | VERSIONS | PATH | KAFKA | KLAMM | REASON, got {text}")
        self.api, versions, self.path, self.kafka, self.klamm, self.reason = parts
        first, _, last = versions.partition("-")
        self.versions = range(int(first), int(last or first) + 1)

    def allows(self, api, version, difference):
        path, kafka, klamm = difference
        return (fnmatch.fnmatchcase(api, self.api) and version in self.versions and matches(path, self.path)
                and matches(kafka, self.kafka) and matches(klamm, self.klamm))


def matches(text, pattern):
    """Only `*` stands for something else."""
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


class Reviewed:
    def __init__(self, file):
        lines = file.read_text().splitlines()
        self.lines = [Line(line) for line in lines if line.strip() and not line.startswith("#")]

    def allows(self, api, version, difference):
        found = next((line for line in self.lines if line.allows(api, version, difference)), None)
        if found:
            found.count += 1
        return found is not None

    def unused(self):
        return [line.text for line in self.lines if not line.count]
