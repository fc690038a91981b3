#!/usr/bin/env python3
"""Where the time of one transfer goes: a bench is timed, sampled by perf, and
each sample is given to the stage of the engine in whose source it fell.

    benches/stages.py                          # the engine without a case
    benches/stages.py --filter haircut/100_cases
    benches/stages.py --bench end_to_end --filter end_to_end/java_tron
    benches/stages.py --simulate haircut/0     # cache misses where the processor counts none

Needs perf and addr2line (Debian: linux-perf, binutils). A sample belongs to the
innermost function, inlined ones included, that a stage owns; library code
belongs to the stage that called it. Time outside of the engine and the
decoders, such as making blocks, is left out. Where the processor counts cache
misses, they are given by stage as well.

--simulate asks valgrind instead: it runs a row of the example `stream` on a
processor of its own making, and tells for each transfer and stage how many
instructions there are and how many reads and writes miss a cache that has
nothing but them in it. It knows no prefetch and no memory read ahead, so these
are the lines that are touched while they are far, waited for or not. The same
binary gives the same counts.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

# The first match owns a source file; what matches none is its caller's.
STAGES = [
    ("put records into blocks", r"crates/codec/src/assembler"),
    ("decode", r"crates/codec/src/"),
    ("look up addresses", r"crates/core/src/accounts/"),
    ("move balances", r"crates/core/src/ledger\.rs"),
    ("trace taint", r"crates/core/src/(trace|policy)/"),
    ("append to the graph", r"crates/core/src/graph\.rs"),
    ("keep history", r"crates/core/src/history/tail\.rs"),
    ("seal history", r"crates/core/src/(segment|history)/"),
    ("alerts, freeze desk", r"crates/core/src/(freeze/|alert\.rs|effect\.rs|engine/(tell|report|sums)\.rs)"),
    ("undo journal", r"crates/core/src/(journal\.rs|engine/reorg\.rs)"),
    ("the engine's own steps", r"crates/core/src/engine/"),
]
# What is simulated: size, ways and line of the caches (of AMD's Zen 4 a core).
CACHES = ["--D1=32768,8,64", "--LL=1048576,8,64"]
# How many runs are simulated, after the first that each row makes.
RUNS = 1
# The name of a column, and the counts of callgrind that it adds up.
SIMULATED = [
    ("instructions", ["Ir"]),
    ("misses of 32 KiB", ["D1mr", "D1mw"]),
    ("misses of 1 MiB", ["DLmr", "DLmw"]),
]
# The time of these is measured; the rest makes their input.
MEASURED = re.compile(r"crates/(core/src/engine/(mod|block)\.rs|codec/src/)")
CLOCK = "cpu-clock"
HERTZ = 1999
# Event, the events between two samples, its name in the table, in how many transfers.
COUNTED = [
    ("page-faults", 97, "page faults, 1,000 transfers", 1000),
    ("cache-misses", 997, "cache misses", 1),
    ("dTLB-load-misses", 997, "TLB misses", 1),
]


def output(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def built(name, *command):
    """The executable of that name, which cargo builds by this command."""
    for line in output("cargo", *command, "--locked", "-p", "flow-benches", "--message-format=json").splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == name:
            return message["executable"]
    sys.exit(f"cargo names no executable {name}")


def nanoseconds(binary, name):
    """The time that criterion finds for one element: the middle of its estimates."""
    text = output(binary, "--bench", "--exact", name)
    units = {"elem/s": 1, "Kelem/s": 1e3, "Melem/s": 1e6, "Gelem/s": 1e9}
    found = re.search(r"thrpt:\s+\[\S+ \S+ (\S+) (\S+) \S+ \S+\]", text)
    if not found:
        sys.exit(f"no bench is named {name}:\n{text}")
    return 1e9 / (float(found[1]) * units[found[2]])


def is_counted(event):
    done = subprocess.run(["perf", "stat", "-x,", "-e", event, "true"], capture_output=True, text=True)
    return done.returncode == 0 and "<not" not in done.stderr


def samples(binary, name, seconds, events, data):
    """Event and addresses, innermost first, of each sample."""
    asked = [f"{CLOCK}/freq={HERTZ}/"] + [f"{event}/period={period}/" for event, period, *_ in events]
    asked = [word for event in asked for word in ("-e", event)]
    output("perf", "record", "-o", data, *asked, "--call-graph", "dwarf,8192", "--",
           binary, "--bench", "--profile-time", str(seconds), "--exact", name)
    text = output("perf", "script", "-i", data, "--no-inline", "-F", "event,ip,sym,dso")
    # perf gives places in the file, addr2line wants addresses.
    shift = code_shift(binary)
    event, chain = None, []
    for line in [*text.splitlines(), ""]:
        frame = re.match(r"\s+([0-9a-f]+) (.*) \((.*)\)$", line)
        if frame:
            chain.append(int(frame[1], 16) - shift if frame[3] == binary else None)
        elif line.strip():
            event = re.match(r"\s*([\w-]+)", line)[1]
        elif event:
            yield event, chain
            event, chain = None, []


def code_shift(binary):
    """Between offsets in the file and addresses of its code."""
    for line in output("readelf", "-lW", binary).splitlines():
        found = re.match(r"\s+LOAD\s+(0x\S+)\s+(0x\S+) .* R E ", line)
        if found:
            return int(found[1], 16) - int(found[2], 16)
    sys.exit(f"{binary} has no code")


def sources(binary, addresses):
    """By address: the source files of its function and of those it is inlined into."""
    asked = "\n".join(hex(address) for address in addresses)
    done = subprocess.run(["addr2line", "-a", "-i", "-e", binary], input=asked,
                          capture_output=True, text=True, check=True)
    found, here = {}, []
    for line in done.stdout.splitlines():
        if line.startswith("0x"):
            here = found.setdefault(int(line, 16), [])
        else:
            here.append(line.rsplit(":", 1)[0])
    return found


def by_stage(binary, sampled):
    """Samples of each event and stage."""
    # All but the innermost are return addresses: the call lies before them.
    places = lambda chain: [a - (at > 0) for at, a in enumerate(chain) if a is not None]
    files = sources(binary, {address for _, chain in sampled for address in places(chain)})
    found = collections.Counter()
    for event, chain in sampled:
        inner = [file for address in places(chain) for file in files[address]]
        if any(MEASURED.search(file) for file in inner):
            owners = (name for file in inner for name, own in STAGES if re.search(own, file))
            found[event, next(owners)] += 1
    return found


def simulated(binary, row, transfers, data):
    """Address in the binary, or None, and counts of every instruction that ran below Engine::apply."""
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--cache-sim=yes", *CACHES, "--dump-instr=yes", "--compress-pos=no",
         "--compress-strings=no", "--toggle-collect=flow_core::engine::Engine::apply",
         f"--callgrind-out-file={data}", binary, row, "--transfers", str(transfers), "--runs", str(RUNS)],
        env={**os.environ, "FLOW_BENCH_ROW": row}, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"valgrind failed:\n{done.stderr}")
    ours, events, called = False, [], False
    for line in open(data):
        if line.startswith("events:"):
            events = line.split()[1:]
        elif line.startswith("ob="):
            ours = line.strip() == f"ob={binary}"
        elif line.startswith("calls="):
            called = True
        elif line.startswith("0x"):
            # The line behind `calls=` is what the call cost, told where it was made.
            if not called:
                address, _, *counts = line.split()
                yield int(address, 16) if ours else None, dict(zip(events, map(int, counts)))
            called = False


def simulate(row, transfers, binary):
    binary = str(pathlib.Path(binary or built("stream", "build", "--release", "--example", "stream")).resolve())
    with tempfile.TemporaryDirectory() as folder:
        counted = list(simulated(binary, row, transfers, f"{folder}/callgrind.out"))
    files = sources(binary, {address for address, _ in counted if address is not None})
    library = "library code that is not inlined"
    found = collections.defaultdict(collections.Counter)
    for address, counts in counted:
        inner = files.get(address, [])
        owners = (name for file in inner for name, own in STAGES if re.search(own, file))
        found[next(owners, library)].update(counts)
    print(f"{row}, {transfers} transfers: for each of them\n")
    print("| stage |" + "".join(f" {title} |" for title, _ in SIMULATED))
    print("|---|" + "---|" * len(SIMULATED))
    found["together"] = sum(found.values(), collections.Counter())
    for stage, counts in sorted(found.items(), key=lambda item: (item[0] == "together", -item[1]["Ir"])):
        sums = (sum(counts[name] for name in names) / transfers / (1 + RUNS) for _, names in SIMULATED)
        instructions, *misses = sums
        print(f"| {stage} | {instructions:.0f} |" + "".join(f" {count:.1f} |" for count in misses))


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--bench", default="engine", help="the bench (default: engine)")
    asked.add_argument("--filter", default="engine/haircut/0_cases", help="what criterion calls it")
    asked.add_argument("--seconds", type=int, default=5, help="how long to sample (default: 5)")
    asked.add_argument("--binary", help="the bench, built already")
    asked.add_argument("--simulate", metavar="ROW", help="count by valgrind, in a row of the example `stream`")
    asked.add_argument("--transfers", type=int, default=4_000_000, help="that are simulated (default: 4000000)")
    asked = asked.parse_args()
    if asked.simulate:
        return simulate(asked.simulate, asked.transfers, asked.binary)
    binary = str(pathlib.Path(asked.binary or built(asked.bench, "bench", "--bench", asked.bench, "--no-run")).resolve())
    name = asked.filter if asked.filter.startswith(asked.bench) else f"{asked.bench}/{asked.filter}"
    each = nanoseconds(binary, name)
    events = [event for event in COUNTED if is_counted(event[0])]
    with tempfile.TemporaryDirectory() as folder:
        sampled = list(samples(binary, name, asked.seconds, events, f"{folder}/perf.data"))
    found = by_stage(binary, sampled)
    clock = {stage: found[CLOCK, stage] for stage, _ in STAGES if found[CLOCK, stage]}
    ticks = sum(clock.values())
    transfers = ticks * 1e9 / HERTZ / each
    print(f"{name}: {each:.0f} ns for each transfer; {ticks} of {len(sampled)} samples in what is timed\n")
    print("| stage | share | ns |" + "".join(f" {title} |" for _, _, title, _ in events))
    print("|---|---|---|" + "---|" * len(events))
    for stage, count in sorted(clock.items(), key=lambda item: -item[1]):
        counts = (found[event, stage] * period * per / transfers for event, period, _, per in events)
        counts = "".join(f" {count:.1f} |" for count in counts)
        print(f"| {stage} | {100 * count / ticks:.0f} % | {each * count / ticks:.0f} |{counts}")
    for event, _, title, _ in COUNTED:
        if event not in [known for known, *_ in events]:
            print(f"\n{title}: not counted here, the processor has no counter that perf may use")


if __name__ == "__main__":
    main()
