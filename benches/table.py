#!/usr/bin/env python3
"""What `cargo bench -p flow-benches` measured, as a Markdown table.

    benches/table.py              # the newest run
    benches/table.py NAME         # the baseline that was saved as NAME
    benches/table.py OLD NEW      # two of them side by side; `new` is the newest run

For each bench the median time for one element, which is a record, an event or
a transfer, with the interval that holds the true median in 95 of 100 cases.
Beside the benches of `engine` stands how many times as long they took as the
limit that memory set in the same run.
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent.parent
LIMIT = "engine/limit/prefetch"


def measured(baseline):
    """By bench: median, lower and upper end, in ns for each element."""
    found = {}
    for file in sorted((HERE / "target/criterion").rglob(f"{baseline}/estimates.json")):
        bench = json.loads((file.parent / "benchmark.json").read_text())
        elements = (bench["throughput"] or {}).get("Elements", 1)
        median = json.loads(file.read_text())["median"]
        interval = median["confidence_interval"]
        times = median["point_estimate"], interval["lower_bound"], interval["upper_bound"]
        found[bench["full_id"]] = [time / elements for time in times]
    if not found:
        sys.exit(f"no run is saved as {baseline} in target/criterion: cargo bench -p flow-benches -- --save-baseline {baseline}")
    return found


def short(nanoseconds):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.3g} ns"


def rate(nanoseconds):
    return f"{1e3 / nanoseconds:.3g} M" if nanoseconds < 1e5 else f"{1e9 / nanoseconds:.3g}"


def one(baseline):
    runs = measured(baseline)
    limit = runs.get(LIMIT)
    print("| bench | median | from, to | a second | times the limit |\n|---|---|---|---|---|")
    for name, (median, low, high) in runs.items():
        ratio = f"{median / limit[0]:.1f}" if limit and name.startswith("engine/") else ""
        print(f"| `{name}` | {short(median)} | {short(low)}, {short(high)} | {rate(median)} | {ratio} |")


def two(old, new):
    before, after = measured(old), measured(new)
    print(f"| bench | {old} | {new} | {new} / {old} |\n|---|---|---|---|")
    for name in sorted(before.keys() & after.keys()):
        # Where the intervals overlap, nothing is known to have changed.
        apart = after[name][1] > before[name][2] or after[name][2] < before[name][1]
        ratio = f"{after[name][0] / before[name][0]:.2f}" if apart else "alike"
        print(f"| `{name}` | {short(before[name][0])} | {short(after[name][0])} | {ratio} |")


def main():
    names = sys.argv[1:]
    if len(names) > 2 or any(name.startswith("-") for name in names):
        sys.exit(__doc__)
    two(*names) if len(names) == 2 else one(*(names or ["new"]))


if __name__ == "__main__":
    main()
