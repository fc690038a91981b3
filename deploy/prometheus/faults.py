#!/usr/bin/env python3
"""What each fault fires, and when at the latest: written into the table of docs/operations.md and
into tests/faults.test.yml, in which promtool holds the rules to it, to the scrape.

    deploy/prometheus/faults.py           writes both
    deploy/prometheus/faults.py --check   exits with 1 where they differ from what it would write

That the service behaves so under each fault is shown by crates/service/tests/kafka/drill, which
reads the table.
"""

import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent
RUNBOOK = HERE.parent.parent / "docs/operations.md"
TEST = HERE / "tests/faults.test.yml"
RULES = HERE / "rules"

# Scrapes and evaluations are so far apart, in seconds, as in deploy/kubernetes.
STEP = 15
# The last scrape before the fault; the next one sees it.
LAST = 80
# Scrapes in a test.
ALL = 200

A = 'job="usdt-flow",instance="a:9464"'
B = 'job="usdt-flow",instance="b:9464"'


def on(chain):
    return chain + ',chain="tron"'


def healthy(of):
    """The series of an instance that publishes, as lists of one value for each scrape."""
    count = range(ALL)
    flat = {
        f"usdt_flow_watermark_lag_seconds{{{on(of)}}}": 3,
        f"usdt_flow_owner{{{on(of)}}}": 1,
        f"usdt_flow_followed{{{on(of)}}}": 1,
        f"usdt_flow_consumer_lag_records{{{on(of)}}}": 0,
        f"usdt_flow_heartbeat_age_seconds{{{on(of)}}}": 0,
        f"usdt_flow_kafka_brokers_up{{{on(of)}}}": 3,
        f"usdt_flow_gaps_total{{{on(of)}}}": 0,
        f"usdt_flow_late_records_total{{{on(of)}}}": 0,
        f'usdt_flow_dead_letters_total{{{of},reason="invalid_json"}}': 0,
        f"usdt_flow_conservation_failures_total{{{on(of)}}}": 0,
        f"usdt_flow_deep_reorgs_total{{{on(of)}}}": 0,
        f"usdt_flow_checkpoint_age_seconds{{{on(of)}}}": 30,
        f"usdt_flow_checkpoint_failures_total{{{on(of)}}}": 0,
        f"usdt_flow_checkpoints_damaged_total{{{on(of)}}}": 0,
        f'usdt_flow_stage{{{on(of)},stage="standby"}}': 0,
        f"process_resident_memory_bytes{{{of}}}": 500,
        f"usdt_flow_memory_max_bytes{{{of}}}": 1000,
        f"process_start_time_seconds{{{of}}}": 1000,
    }
    series = {name: [value] * ALL for name, value in flat.items()}
    series[f"up{{{of}}}"] = [1] * ALL
    series[f"usdt_flow_blocks_total{{{on(of)}}}"] = [5 * at for at in count]
    series[f"usdt_flow_records_consumed_total{{{on(of)}}}"] = [500 * at for at in count]
    return series


def standing_by(of):
    series = healthy(of)
    series[f"usdt_flow_owner{{{on(of)}}}"] = [0] * ALL
    series[f'usdt_flow_stage{{{on(of)},stage="standby"}}'] = [1] * ALL
    return series


def change(series, metric, values, of=A):
    """`values(n)` is that of the nth scrape after the fault, from 1 on."""
    (name,) = [name for name in series if name.startswith(metric + "{" + of)]
    series[name][LAST + 1 :] = [values(at - LAST) for at in range(LAST + 1, ALL)]


def end(series, of=A, after=0):
    """It answers no more, from `after` scrapes later on."""
    first = LAST + 1 + after
    for name, values in series.items():
        if of in name:
            gone = [0] * (ALL - first) if name.startswith("up{") else ["stale"] + ["_"] * (ALL - first - 1)
            values[first:] = gone


def ended():
    series = healthy(A)
    end(series)
    return series


def restarting():
    series = healthy(A)
    starts = [name for name in series if name.startswith("process_start")]
    # The third start is the fault; two came before.
    series[starts[0]] = [1000 + 60 * sum(at >= start for start in (LAST - 40, LAST - 20, LAST + 1)) for at in range(ALL)]
    return series


def deep():
    series = healthy(A)
    change(series, "usdt_flow_deep_reorgs_total", lambda n: 1)
    # http.linger_seconds later.
    end(series, after=2)
    return series


def store_full():
    series = healthy(A)
    # One checkpoint a minute is due.
    change(series, "usdt_flow_checkpoint_failures_total", lambda n: n // 4)
    change(series, "usdt_flow_checkpoint_age_seconds", lambda n: 60 + STEP * n)
    return series


def with_level(metric, value):
    series = healthy(A)
    change(series, metric, lambda n: value)
    return series


def silent():
    series = healthy(A)
    change(series, "usdt_flow_watermark_lag_seconds", lambda n: 3 + STEP * n)
    change(series, "usdt_flow_blocks_total", lambda n: 5 * LAST)
    change(series, "usdt_flow_records_consumed_total", lambda n: 500 * LAST)
    change(series, "usdt_flow_checkpoint_age_seconds", lambda n: 30 + STEP * n)
    return series


def kafka_gone():
    series = silent()
    change(series, "usdt_flow_kafka_brokers_up", lambda n: 0)
    # A transaction is tried for half a minute before the session ends.
    change(series, "usdt_flow_owner", lambda n: int(n < 4))
    return series


def kafka_hangs():
    series = silent()
    # Connections stand until a request has gone unanswered for long enough.
    change(series, "usdt_flow_kafka_brokers_up", lambda n: 3 if n < 3 else 0)
    change(series, "usdt_flow_owner", lambda n: int(n < 4))
    # Each question takes as long as an answer is waited for.
    change(series, "usdt_flow_heartbeat_age_seconds", lambda n: STEP * (n % 4))
    return series


def standby_ends():
    series = healthy(A) | standing_by(B)
    end(series, B)
    return series


def publisher_ends():
    series = healthy(A) | standing_by(B)
    end(series)
    change(series, "usdt_flow_owner", lambda n: int(n > 1), B)
    change(series, "usdt_flow_stage", lambda n: 0, B)
    return series


START = "when it is up again"
# Fault; its series; alerts with the seconds after which they fire at the latest, and where they end
# by themselves the seconds after which they do; what ends it.
FAULTS = [
    ("It is killed", ended, {"Down": 90}, START),
    ("It hangs", ended, {"Down": 90}, "when it answers again"),
    ("It ends and is started again and again", restarting, {"Restarting": 30}, "a quarter of an hour after"),
    ("It takes more memory than it may", ended, {"Down": 90}, "exit status 1; with more memory"),
    ("The disk of the history is full", ended, {"Down": 90}, "exit status 1; with room there"),
    ("A final block is taken back", deep, {"DeepReorganisation": (30, 60), "Down": 120}, "exit status 1; [by hand](#deep-reorganisation)"),
    ("The store of checkpoints is full", store_full, {"CheckpointFailing": 375, "CheckpointOld": 1170}, "by itself, with room there"),
    ("A checkpoint is damaged", lambda: with_level("usdt_flow_checkpoints_damaged_total", 1), {"CheckpointDamaged": 30}, "at the next start"),
    ("Nothing comes any more", silent, {"Behind": 255, "InputSilent": 615}, "when blocks come again"),
    ("A block is missing", lambda: with_level("usdt_flow_gaps_total", 1), {"Gap": 30}, "a quarter of an hour after"),
    ("A record comes after its block", lambda: with_level("usdt_flow_late_records_total", 1), {"LateRecords": 30}, "a quarter of an hour after"),
    ("A source sends what cannot be read", lambda: with_level("usdt_flow_dead_letters_total", 20), {"DeadLettersRising": 330}, "ten minutes after"),
    ("The brokers are gone", kafka_gone, {"KafkaUnreachable": 90}, "by itself, with them"),
    ("The brokers hang", kafka_hangs, {"KafkaUnreachable": 120}, "by itself, when they answer again"),
    ("The one who stands by ends", standby_ends, {"Down": 90, "NoStandby": 330}, "when one stands by again"),
    ("The one who publishes ends", publisher_ends, {"Down": 90, "NoStandby": 330}, "another one publishes at once; when one stands by again"),
]


def severities():
    text = "".join(path.read_text() for path in sorted(RULES.glob("*.yml")))
    return dict(re.findall(r"- alert: UsdtFlow(\w+)\n(?:.*\n)*? +severity: (\w+)", text))


def words(seconds):
    minutes, rest = divmod(seconds, 60)
    return f"{seconds} s" if seconds < 120 else f"{minutes} min" + (f" {rest} s" if rest else "")


def first(time):
    return time[0] if isinstance(time, tuple) else time


def table(levels):
    lines = ["| fault | page | ticket | ends |", "|---|---|---|---|"]
    for fault, _, alerts, ends in FAULTS:
        def cell(level):
            mine = [(name, time) for name, time in alerts.items() if levels[name] == level]
            return ", ".join(f"`{name}` {words(first(time))}" for name, time in mine)

        lines.append(f"| {fault} | {cell('page')} | {cell('ticket')} | {ends} |")
    return "\n".join(lines)


def fires_at(alerts, seconds):
    def holds(time):
        begin, over = time if isinstance(time, tuple) else (time, float("inf"))
        return begin <= seconds < over

    return sorted(name for name, time in alerts.items() if holds(time))


def compressed(values):
    """promtool's way to write a run of equal steps."""
    out, at = [], 0
    while at < len(values):
        value = values[at]
        if not isinstance(value, int):
            out.append(value)
            at += 1
            continue
        step = values[at + 1] - value if at + 1 < len(values) and isinstance(values[at + 1], int) else 0
        count = 0
        while at + count + 1 < len(values) and values[at + count + 1] == value + step * (count + 1):
            count += 1
        out.append(f"{value}{step:+d}x{count}" if count else str(value))
        at += count + 1
    # What is missing to the end need not be written.
    while out[-1] == "_":
        out.pop()
    return " ".join(out)


def test():
    lines = [
        "# Made by deploy/prometheus/faults.py: under each fault of docs/operations.md the alerts fire that",
        "# stand there, at the time that stands there, and no other one does.",
        "rule_files: [../rules/usdt-flow-recording.yml, ../rules/usdt-flow-alerts.yml, ../rules/usdt-flow-standby.yml]",
        f"evaluation_interval: {STEP}s",
        "tests:",
    ]
    for fault, series, alerts, _ in FAULTS:
        shown = series()
        alone = not any(B in name for name in shown)
        # Where one runs alone, the rule of the standby is not loaded.
        but = ',alertname!="UsdtFlowNoStandby"' if alone else ""
        lines += [f"  # {fault}.", f"  - interval: {STEP}s", "    input_series:"]
        lines += [f"      - {{series: '{name}', values: '{compressed(values)}'}}" for name, values in shown.items()]
        lines.append("    promql_expr_test:")
        times = {0, max(first(time) for time in alerts.values()) + 10 * STEP}
        for time in alerts.values():
            begin = first(time)
            times |= {begin - STEP, begin}
        # Here rules are evaluated with each scrape; otherwise up to one step after it.
        for seconds in sorted(times):
            expected = [f"{{labels: '{{alertname=\"UsdtFlow{name}\"}}', value: 1}}" for name in fires_at(alerts, seconds)]
            lines += [
                f"      - expr: count by (alertname) (ALERTS{{alertstate=\"firing\"{but}}})",
                f"        eval_time: {LAST * STEP + max(seconds - STEP, 0)}s",
                f"        exp_samples: [{', '.join(expected)}]",
            ]
    return "\n".join(lines) + "\n"


def main():
    levels = severities()
    text = RUNBOOK.read_text()
    pattern = re.compile(r"\| fault \| page \|.*\n(?:\|.*\n)+")
    new = pattern.sub(lambda _: table(levels) + "\n", text)
    wanted = {RUNBOOK: new, TEST: test()}
    if "--check" in sys.argv[1:]:
        stale = [path for path, content in wanted.items() if not path.exists() or path.read_text() != content]
        for path in stale:
            print(f"{path} is not what deploy/prometheus/faults.py writes: run it", file=sys.stderr)
        sys.exit(1 if stale else 0)
    for path, content in wanted.items():
        path.write_text(content)


main()
