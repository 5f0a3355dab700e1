#!/usr/bin/env python3
"""run.py --jars FOLDER --kafka HOST:PORT --klamm HOST:PORT [--seed N] [--api NAME] [--version N] [--number N]

Sends the same frames to Kafka and to Klamm, both of them new, and compares the answers. A difference must stand in
`reviewed.txt`, and what stands there must occur. CONTRIBUTING.md says how to run it.
"""
import argparse, collections, json, pathlib, sys, threading, time

import named
from broker import Broker, set_up
from compare import Reviewed, differences, show
from frames import frames_of
from schema import load

# Kafka and Klamm advertise older versions of Produce for the sake of old clients, and serve none of them.
FIRST_OF_PRODUCE = 3
# The seed of the frames for which every reviewed line must occur.
SEED = 1


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("jars", "kafka", "klamm"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("version", "number"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--api")
    parser.add_argument("--found", help="a file for all differences that are not reviewed")
    return parser.parse_args()


def served(broker):
    for each in broker.call("ApiVersions", 3, {"ClientSoftwareName": "frames", "ClientSoftwareVersion": "1"})["ApiKeys"]:
        first = max(each["MinVersion"], FIRST_OF_PRODUCE) if each["ApiKey"] == 0 else each["MinVersion"]
        for version in range(first, each["MaxVersion"] + 1):
            yield broker.apis[each["ApiKey"]], version


def chosen(args, klamm):
    for api, version in served(klamm):
        if args.api in (None, api.name) and args.version in (None, version):
            for frame in frames_of(api, version, args.seed):
                if args.number in (None, frame.number):
                    yield frame


def ask(broker, frames, outcomes, is_whole, seed):
    began = time.monotonic()
    outcomes += [named.settled(broker, frame) for frame in frames]
    if is_whole:
        outcomes += named.outcomes(broker, seed)
    print(f"{broker.name}: {len(outcomes)} answers in {time.monotonic() - began:.0f} s", flush=True)


def main():
    args = arguments()
    apis = load(args.jars)
    brokers = [Broker("Kafka", args.kafka, apis), Broker("Klamm", args.klamm, apis)]
    run_both(set_up, [(broker,) for broker in brokers])
    frames = list(chosen(args, brokers[1]))
    is_whole = args.api is None
    outcomes = [], []
    run_both(ask, [(broker, frames, outs, is_whole, args.seed) for broker, outs in zip(brokers, outcomes)])
    frames += [frame for frame, _ in outcomes[0][len(frames):]]
    answers = [[out[1] if isinstance(out, tuple) else out for out in outs] for outs in outcomes]
    sys.exit(report(args, brokers, frames, answers, is_whole))


def run_both(work, arguments):
    failed = []

    def guarded(each):
        try:
            work(*each)
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=guarded, args=(each,)) for each in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise SystemExit(f"failed: {failed[0]}")


def report(args, brokers, frames, answers, is_whole):
    reviewed = Reviewed(pathlib.Path(__file__).with_name("reviewed.txt"))
    found, equal, known = collections.defaultdict(list), 0, 0
    for frame, kafka, klamm in zip(frames, *answers, strict=True):
        these = list(differences(kafka, klamm))
        new = [each for each in these if not reviewed.allows(frame.api.name, frame.version, each)]
        equal, known = equal + (not these), known + (bool(these) and not new)
        for each in new:
            found[(frame.api.name, *each)].append((frame, kafka, klamm))
    for difference, where in found.items():
        show_difference(args, brokers, difference, where)
    if args.found:
        write_found(args.found, found)
    unused = reviewed.unused() if is_whole and args.seed == SEED else []
    for text in unused:
        print(f"reviewed, and not seen: {text}")
    versions = len({(frame.api.name, frame.version) for frame in frames})
    print(f"{len({frame.api.name for frame in frames})} APIs, {versions} versions, {len(frames)} frames: {equal} answers equal, "
          f"{known} with reviewed differences ({len(reviewed.lines)} lines), {len(found)} new kinds of difference, "
          f"{len(unused)} lines without one")
    return 1 if found or unused else 0


def show_difference(args, brokers, difference, where):
    api, path, kafka, klamm = difference
    frame = where[0][0]
    print(f"{api} {path}: Kafka {kafka[:300]}, Klamm {klamm[:300]}; {len(where)} times, versions "
          f"{sorted({each.version for each, _, _ in where})}, the first: {frame.name()}")
    print(f"  replay: tests/clients/frames --seed {args.seed} --api {api} --version {frame.version} --number {frame.number}")
    print(f"  request {show(frame.value)[:1000]}")
    print(f"  frame for Klamm {frame.encode(1, brokers[1].symbols).hex()[:2000]}")


def write_found(file, found):
    with open(file, "w") as out:
        for (api, path, kafka, klamm), where in found.items():
            versions = sorted({frame.version for frame, _, _ in where})
            kinds = sorted({frame.kind for frame, _, _ in where})
            out.write(json.dumps({"api": api, "path": path, "kafka": kafka, "klamm": klamm, "versions": versions, "kinds": kinds,
                "times": len(where), "frames": [{"name": frame.name(), "request": frame.value, "kafka": one, "klamm": other}
                for frame, one, other in where[:3]]}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
