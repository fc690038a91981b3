#!/usr/bin/env python3
"""Writes the dashboards of this folder.

    deploy/grafana/dashboards.py           writes dashboards/*.json
    deploy/grafana/dashboards.py --check   exits with 1 where they differ from what it would write
"""

import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24

# What the variables stand for in every selector.
BOTH = 'chain=~"$chain",instance=~"$instance"'
INSTANCE = 'instance=~"$instance"'

RED, YELLOW, GREEN = "red", "yellow", "green"


def rate(metric, by, labels=BOTH, more=""):
    return f"sum by ({by}) (rate(usdt_flow_{metric}{{{labels}{more}}}[$__rate_interval]))"


def increase(metric, by, labels=BOTH, more=""):
    return f"sum by ({by}) (increase(usdt_flow_{metric}{{{labels}{more}}}[$__range]))"


def quantile(q, metric, by, labels=BOTH):
    buckets = f"sum by ({by}, le) (rate(usdt_flow_{metric}_bucket{{{labels}}}[$__rate_interval]))"
    return f"histogram_quantile({q}, {buckets})"


def level(metric, by="instance, chain", how="max", labels=BOTH, more=""):
    return f"{how} by ({by}) (usdt_flow_{metric}{{{labels}{more}}})"


def usdt(expr):
    return f"{expr} / 1e6"


def panel(title, about, exprs, *, kind="timeseries", unit="short", limits=None, runbook=None, width=8, stack=False, base=GREEN):
    """One panel; `exprs` are pairs of an expression and the name of its series, `limits` pairs of a colour and a value."""
    steps = [{"color": base, "value": None}]
    steps += [{"color": color, "value": value} for color, value in limits or []]
    defaults = {
        "unit": unit,
        "color": {"mode": "thresholds" if kind == "stat" else "palette-classic"},
        "thresholds": {"mode": "absolute", "steps": steps},
    }
    if kind == "timeseries":
        style = "dashed" if limits else "off"
        stacking = {"mode": "normal" if stack else "none", "group": "A"}
        defaults["custom"] = {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 25 if stack else 8,
            "showPoints": "never",
            "stacking": stacking,
            "thresholdsStyle": {"mode": style},
        }
    options = {
        "timeseries": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "stat": {
            "colorMode": "background",
            "graphMode": "area",
            "justifyMode": "auto",
            "textMode": "auto",
            "orientation": "auto",
            "wideLayout": True,
            "showPercentChange": False,
            "percentChangeColorMode": "standard",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        },
    }[kind]
    targets = [
        {
            "refId": chr(ord("A") + rank),
            "datasource": DATASOURCE,
            "expr": expr,
            "legendFormat": legend,
            "range": kind != "stat",
            "instant": kind == "stat",
        }
        for rank, (expr, legend) in enumerate(exprs)
    ]
    links = []
    if runbook:
        links.append(
            {
                "title": "Runbook",
                "type": "link",
                "url": "${runbooks}/operations.md#" + runbook,
                "targetBlank": True,
                "asDropdown": False,
                "icon": "doc",
                "includeVars": False,
                "keepTime": False,
                "tags": [],
                "tooltip": "",
            }
        )
    return {
        "type": kind,
        "title": title,
        "description": about,
        "datasource": DATASOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "links": links,
        "gridPos": {"w": width, "h": 4 if kind == "stat" else 8},
    }


def stat(title, about, expr, legend, **more):
    return panel(title, about, [(expr, legend)], kind="stat", width=more.pop("width", 6), **more)


def lay_out(sections):
    """Panels with their places and ids, rows between the sections."""
    laid, y = [], 0
    for title, panels in sections:
        laid.append({"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}})
        x, y, height = 0, y + 1, 0
        for each in panels:
            place = each["gridPos"]
            if x + place["w"] > WIDTH:
                x, y, height = 0, y + height, 0
            each["gridPos"] = {"x": x, "y": y, **place}
            x, height = x + place["w"], max(height, place["h"])
            laid.append(each)
        y += height
    return [{"id": number, **each} for number, each in enumerate(laid, 1)]


def variables():
    def of_label(name, label, query):
        return {
            "name": name,
            "label": label,
            "type": "query",
            "datasource": DATASOURCE,
            "query": query,
            "refresh": 2,
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": ["All"], "value": ["$__all"]},
            "hide": 0,
            "skipUrlSync": False,
        }

    return [
        {
            "name": "datasource",
            "label": "Prometheus",
            "type": "datasource",
            "query": "prometheus",
            "refresh": 1,
            "multi": False,
            "includeAll": False,
            "hide": 0,
            "skipUrlSync": False,
        },
        of_label("chain", "Chain", "label_values(usdt_flow_followed, chain)"),
        of_label("instance", "Instance", "label_values(usdt_flow_build_info, instance)"),
        {
            "name": "runbooks",
            "label": "Where docs/ can be read",
            "type": "textbox",
            "query": "/docs",
            "current": {"text": "/docs", "value": "/docs"},
            "hide": 0,
            "skipUrlSync": False,
        },
    ]


def dashboard(uid, title, about, sections):
    return {
        "uid": uid,
        "title": title,
        "description": about,
        "tags": ["usdt-flow"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "utc",
        "weekStart": "",
        "liveNow": False,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timepicker": {},
        "templating": {"list": variables()},
        "annotations": {"list": []},
        "links": [
            {
                "title": "usdt-flow",
                "type": "dashboards",
                "tags": ["usdt-flow"],
                "asDropdown": True,
                "includeVars": True,
                "keepTime": True,
                "targetBlank": False,
                "icon": "external link",
                "tooltip": "",
                "url": "",
            },
            {
                "title": "Runbook",
                "type": "link",
                "url": "${runbooks}/operations.md",
                "asDropdown": False,
                "includeVars": False,
                "keepTime": False,
                "targetBlank": True,
                "icon": "doc",
                "tags": [],
                "tooltip": "",
            },
        ],
        "panels": lay_out(sections),
    }


def service():
    head = [
        stat("Watermark lag", "Now less the time of the last block applied.", level("watermark_lag_seconds", "chain", "min"), "{{chain}}", unit="s", limits=[(YELLOW, 60), (RED, 120)], runbook="behind"),
        stat("Unread records", "What the input topics hold and nobody has read.", level("consumer_lag_records", "chain", "min"), "{{chain}}", limits=[(YELLOW, 10_000), (RED, 1_000_000)], runbook="behind"),
        stat("Owners", "How many instances publish for the chain: it should be one.", level("owner", "chain", "sum"), "{{chain}}", base=RED, limits=[(GREEN, 1), (RED, 2)], runbook="nobody-publishes"),
        stat("Standing by", "How many instances would take over.", level("stage", "chain", "sum", more=',stage="standby"'), "{{chain}}", runbook="no-standby"),
    ]
    keeping_up = [
        panel("Watermark lag", "The number to page on.", [(level("watermark_lag_seconds"), "{{chain}} {{instance}}")], unit="s", limits=[(RED, 120)], runbook="behind"),
        panel("Unread records", "Growing: more comes in than is worked off.", [(level("consumer_lag_records"), "{{chain}} {{instance}}")], runbook="behind"),
        panel("Stage", "1 for the stage at which each follower is.", [(level("stage", "instance, chain, stage") + " == 1", "{{chain}} {{stage}} {{instance}}")], runbook="nobody-publishes"),
        panel("Records read", "Of all formats.", [(rate("records_consumed_total", "chain, instance"), "{{chain}} {{instance}}")], unit="cps"),
        panel("Blocks applied", "TRON makes one each 3 s, Ethereum one each 12 s.", [(rate("blocks_total", "chain, instance"), "{{chain}} {{instance}}")], unit="cps", runbook="stalled"),
        panel("Events applied", "By kind.", [(rate("events_total", "chain, kind"), "{{chain}} {{kind}}")], unit="cps"),
        panel("From the broker to the alert", "From the broker's timestamp of a block's first record to the commit of an alert.", [(quantile(q, "broker_to_alert_seconds", "chain"), f"{{{{chain}}}} {name}") for q, name in [(0.5, "half"), (0.99, "99 %")]], unit="s", limits=[(YELLOW, 5), (RED, 60)], runbook="behind"),
        panel("From the block to the alert", "The same from the block's time: with what the source takes.", [(quantile(q, "block_to_alert_seconds", "chain"), f"{{{{chain}}}} {name}") for q, name in [(0.5, "half"), (0.99, "99 %")]], unit="s"),
        panel("Sign of life", "Seconds since the follower gave one.", [(level("heartbeat_age_seconds"), "{{chain}} {{instance}}")], unit="s", limits=[(RED, 30)], runbook="stalled"),
    ]
    waits = [
        panel("Where it waits", "Seconds of each second. `input` is rest.", [(rate("waiting_seconds_total", "chain, stage"), "{{chain}} {{stage}}")], unit="percentunit", stack=True),
        panel("Queues", "Records fetched, decoded, and told, that wait for the next step.", [(level("queue_records", "instance, chain, queue"), "{{chain}} {{queue}} {{instance}}")]),
        panel("Blocks held and things owed", "Blocks wait for their partitions; a standby owes what the owner has yet to say.", [(level("held_blocks"), "{{chain}} held {{instance}}"), (level("owed"), "{{chain}} owed {{instance}}")]),
        panel("Time of a commit", "Outputs and positions, one transaction.", [(quantile(q, "commit_seconds", "instance", INSTANCE), f"{name} {{{{instance}}}}") for q, name in [(0.5, "half"), (0.99, "99 %")]], unit="s", limits=[(YELLOW, 0.1), (RED, 1)]),
        panel("Records in a transaction", "At commit.max_records: it is behind.", [(quantile(0.99, "batch_records", "instance", INSTANCE), "99 % {{instance}}")]),
        panel("Commits, aborts, failed sessions", "Aborts and failures should be rare.", [(rate("commits_total", "instance", INSTANCE), "commits {{instance}}"), (rate("transaction_aborts_total", "instance", INSTANCE), "aborts {{instance}}"), (rate("session_failures_total", "instance"), "failed sessions {{instance}}")], unit="cps", runbook="kafka-unreachable"),
        panel("Brokers and take-overs", "Connections that stand, and times that an instance began to publish.", [(level("kafka_brokers_up"), "{{chain}} brokers {{instance}}"), (level("takeovers_total"), "{{chain}} take-overs {{instance}}")], runbook="kafka-unreachable"),
        panel("Late cases", "Being traced through the past.", [(level("late_traces"), "{{chain}} {{instance}}")]),
    ]
    state = [
        panel("Memory", "Resident, and the most that there may be.", [(f"process_resident_memory_bytes{{{INSTANCE},job=~\".*usdt-flow.*\"}}", "resident {{instance}}"), (level("memory_max_bytes", "instance", labels=INSTANCE), "ceiling {{instance}}")], unit="bytes", runbook="memory-near-ceiling"),
        panel("Accounts and transfers", "What the ledger knows.", [(level("accounts"), "{{chain}} accounts {{instance}}"), (level("transfers"), "{{chain}} transfers {{instance}}")]),
        panel("The past", "Transfers in memory by what keeps them.", [(level("tail_transfers"), "{{chain}} not sealed {{instance}}"), (level("graph_transfers"), "{{chain}} graph {{instance}}"), (level("path_transfers"), "{{chain}} paths {{instance}}")]),
        panel("Segments and blocks that can be reverted", "Sealed past, and what a reorganisation can take back.", [(level("segments"), "{{chain}} segments {{instance}}"), (level("revertible_blocks"), "{{chain}} revertible {{instance}}")]),
        panel("Age of the checkpoint", "Taken by the owner alone.", [(level("checkpoint_age_seconds"), "{{chain}} {{instance}}")], unit="s", limits=[(RED, 900)], runbook="checkpoint-old"),
        panel("Size of the checkpoint", "Without segments.", [(level("checkpoint_bytes"), "{{chain}} {{instance}}")], unit="bytes"),
        panel("Time of a checkpoint", "Until it was kept, and while the stream stood still.", [(quantile(0.99, "checkpoint_seconds", "instance", INSTANCE), "kept {{instance}}"), (quantile(0.99, "checkpoint_pause_seconds", "instance", INSTANCE), "still {{instance}}")], unit="s"),
        panel("Checkpoints", "Written, failed, and found damaged, since the start.", [(level("checkpoints_total"), "{{chain}} written {{instance}}"), (level("checkpoint_failures_total"), "{{chain}} failed {{instance}}"), (level("checkpoints_damaged_total"), "{{chain}} damaged {{instance}}")], runbook="checkpoint-failing"),
        panel("Version and age of the process", "", [(f"time() - process_start_time_seconds{{{INSTANCE},job=~\".*usdt-flow.*\"}}", "age {{instance}}"), (level("build_info", "instance, version", labels=INSTANCE), "{{version}} {{instance}}")], unit="s", runbook="restarting"),
    ]
    return dashboard("usdt-flow-service", "usdt-flow: service", "Is it keeping up, and where does it wait?", [("Now", head), ("Is it keeping up?", keeping_up), ("Where does it wait?", waits), ("State", state)])


def quality():
    head = [
        stat("Gaps", "In the range shown.", increase("gaps_total", "chain"), "{{chain}}", limits=[(RED, 1)], runbook="gap"),
        stat("Late records", "In the range shown.", increase("late_records_total", "chain"), "{{chain}}", limits=[(RED, 1)], runbook="late-records"),
        stat("Dead letters", "In the range shown.", f"sum(increase(usdt_flow_dead_letters_total{{{INSTANCE}}}[$__range]))", "all", limits=[(YELLOW, 1), (RED, 100)], runbook="dead-letters-rising"),
        stat("Reorganisations of final blocks", "Each ends the service.", level("deep_reorgs_total", "chain", "sum"), "{{chain}}", limits=[(RED, 1)], runbook="deep-reorganisation"),
    ]
    records = [
        panel("Records by format", "As each was recognised; `none` could not be.", [(rate("format_records_total", "chain, format"), "{{chain}} {{format}}")], unit="cps", stack=True),
        panel("Dead letters by reason", "Since the start of the process.", [(level("dead_letters_total", "reason", "sum", INSTANCE) + " > 0 or on () sum(usdt_flow_dead_letters_total{" + INSTANCE + "})", "{{reason}}")], runbook="dead-letters-rising"),
        panel("Dead letters", "A second, of all reasons.", [(f"sum by (instance) (rate(usdt_flow_dead_letters_total{{{INSTANCE}}}[$__rate_interval]))", "{{instance}}")], unit="cps", runbook="dead-letters-rising"),
        panel("Ignored records", "foreign_contract: events of other tokens, fake USDT among them.", [(f"sum by (reason) (rate(usdt_flow_ignored_total{{{INSTANCE}}}[$__rate_interval]))", "{{reason}}")], unit="cps"),
        panel("Duplicates", "Events that came again and were dropped: harmless.", [(rate("duplicates_total", "chain, instance"), "{{chain}} {{instance}}")], unit="cps"),
        panel("Late records", "Came after their block was applied.", [(level("late_records_total"), "{{chain}} {{instance}}")], limits=[(RED, 1)], runbook="late-records"),
    ]
    chain = [
        panel("Gaps", "Between block numbers, since the start of the process.", [(level("gaps_total"), "{{chain}} {{instance}}")], limits=[(RED, 1)], runbook="gap"),
        panel("Reorganisations", "That took applied blocks back, since the start of the process.", [(level("reorgs_total"), "{{chain}} {{instance}}")]),
        panel("Depth of reorganisations", "How many took at most so many blocks back.", [(f"sum by (le) (usdt_flow_reorg_depth_blocks_bucket{{{INSTANCE}}})", "≤ {{le}}")]),
        panel("From the head to finality", "Blocks that can still be taken back.", [(f"max by (chain) (usdt_flow_head_block{{{BOTH}}}) - max by (chain) (usdt_flow_final_block{{{BOTH}}})", "{{chain}}")], runbook="deep-reorganisation"),
        panel("Head", "Number of the last block seen.", [(level("head_block"), "{{chain}} {{instance}}")]),
        panel("Orphaned events", "That no canonical block holds.", [(rate("orphaned_events_total", "chain, instance"), "{{chain}} {{instance}}")], unit="cps"),
    ]
    return dashboard("usdt-flow-input", "usdt-flow: input quality", "Is all there, once, and readable?", [("Now", head), ("Records", records), ("Blocks", chain)])


def tracing():
    now = 'and on (job, instance, chain) (usdt_flow_owner == 1)'

    def owned(metric, by, more=""):
        return f"sum by ({by}) (usdt_flow_{metric}{{{BOTH}{more}}} {now})"

    head = [
        stat("Tainted units held", "What can still be caught.", usdt(owned("tainted_units", "chain", ',state="held"')), "{{chain}}", unit="suffix: USDT"),
        stat("Caught", "Frozen or burnt by the issuer.", usdt(owned("tainted_units", "chain", ',state=~"frozen|destroyed"')), "{{chain}}", unit="suffix: USDT"),
        stat("Longest unanswered", "Age of the oldest recommendation to the issuer that nobody has acted on.", f"max by (chain) (usdt_flow_freeze_waiting_seconds{{{BOTH}}} {now})", "{{chain}}", unit="s", limits=[(YELLOW, 3_600), (RED, 14_400)], runbook="freeze-unanswered"),
        stat("Accounts that escaped", "Emptied after they were recommended.", owned("freeze_recommendations", "chain", ',status="escaped"'), "{{chain}}", limits=[(RED, 1)], runbook="funds-escaping"),
    ]
    alerts = [
        panel("Alerts by rule", "Since the start of the process.", [(level("alerts_total", "rule", "sum", INSTANCE), "{{rule}}")]),
        panel("Alerts by risk level", "Since the start of the process.", [(level("alerts_total", "risk_level", "sum", INSTANCE), "{{risk_level}}")]),
        panel("Alerts a second", "Raised, settled, taken back.", [(rate("alerts_total", "instance", INSTANCE), "raised {{instance}}"), (rate("alerts_settled_total", "instance", INSTANCE), "settled {{instance}}"), (rate("alerts_retracted_total", "instance", INSTANCE), "taken back {{instance}}")], unit="cps"),
    ]
    taint = [
        panel("Where tainted units are", "Of all cases, under the leading policy; what two cases claim counts twice.", [(usdt(owned("tainted_units", "state", ',state!="emitted"')), "{{state}}")], unit="suffix: USDT", stack=True),
        panel("Tainted units in all", "Units that became tainted.", [(usdt(owned("tainted_units", "chain", ',state="emitted"')), "{{chain}}")], unit="suffix: USDT"),
        panel("Tainted accounts and cases", "", [(owned("tainted_accounts", "chain"), "{{chain}} accounts"), (f"max(usdt_flow_cases{{{INSTANCE}}})", "cases")]),
    ]
    freezing = [
        panel("Recommendations by status", "Accounts, now.", [(owned("freeze_recommendations", "status"), "{{status}}")], stack=True),
        panel("Units by status of their recommendation", "As last told.", [(usdt(owned("freeze_recommended_units", "status")), "{{status}}")], unit="suffix: USDT", stack=True),
        panel("Age of the oldest unanswered", "To the issuer.", [(f"max by (chain) (usdt_flow_freeze_waiting_seconds{{{BOTH}}} {now})", "{{chain}}")], unit="s", limits=[(RED, 14_400)], runbook="freeze-unanswered"),
        panel("Units caught against escaped", "Of what was recommended: caught by a freeze, left before.", [(usdt(owned("freeze_units", "outcome")), "{{outcome}}")], unit="suffix: USDT", runbook="funds-escaping"),
        panel("Accounts caught against escaped", "Accounts that were frozen or burnt, and accounts that were emptied first.", [(owned("freeze_recommendations", "chain", ',status=~"frozen|destroyed"'), "{{chain}} caught"), (owned("freeze_recommendations", "chain", ',status="escaped"'), "{{chain}} escaped")], runbook="funds-escaping"),
        panel("Records written", "Of recommendations and ledgers of cases, a minute.", [(f"60 * sum by (status) (rate(usdt_flow_freeze_recommendations_total{{{INSTANCE}}}[$__rate_interval]))", "{{status}}"), (f"60 * sum(rate(usdt_flow_case_ledgers_total{{{INSTANCE}}}[$__rate_interval]))", "ledgers of cases")]),
        panel("Books that do not balance", "Anything but 0 has stopped the service.", [(level("conservation_failures_total", "chain", "sum"), "{{chain}}")], limits=[(RED, 1)], runbook="conservation-violated"),
    ]
    pending = ',status=~"submitted|confirmed"'
    windows = [
        panel("Freeze windows that are open", "Accounts whose freeze was submitted and is not executed: whoever reads the chain knows.", [(owned("freeze_recommendations", "chain", pending), "{{chain}}")], runbook="funds-escaping"),
        panel("Units in open windows", "What the submitted freezes would catch.", [(usdt(owned("freeze_recommended_units", "chain", pending)), "{{chain}}")], unit="suffix: USDT", runbook="funds-escaping"),
        panel("Escapes", "Accounts that were emptied before they were frozen, a minute.", [(f"60 * sum by (instance) (rate(usdt_flow_freeze_recommendations_total{{{INSTANCE},status=\"escaped\"}}[$__rate_interval]))", "{{instance}}")], runbook="funds-escaping"),
        panel("From the first tainted arrival", "Block time to be recommended, submitted, frozen, on average since the start of the process.", [(f"sum(usdt_flow_freeze_{step}_seconds_sum{{{INSTANCE}}}) / clamp_min(sum(usdt_flow_freeze_{step}_seconds_count{{{INSTANCE}}}), 1)", step) for step in ("recommended", "submitted", "frozen")], unit="s", runbook="freeze-unanswered"),
    ]
    worth = [
        panel("What the open recommendations are worth", "Claimed, expected to be there after the usual lag, and clean units that would be frozen with them.", [(usdt(owned("freeze_worth_units", "worth")), "{{worth}}")], unit="suffix: USDT"),
        panel("Of what is claimed, expected to be there", "Low: it will be too late for much of it.", [(owned("freeze_worth_units", "chain", ',worth="expected"') + " / (" + owned("freeze_worth_units", "chain", ',worth="claimed"') + " > 0)", "{{chain}}")], unit="percentunit"),
        panel("Accounts to freeze for nine tenths", "The fewest whose freeze is expected to catch as much.", [(owned("freeze_set_accounts", "chain"), "{{chain}}")]),
    ]
    return dashboard("usdt-flow-tracing", "usdt-flow: tracing and freezing", "What moves, where it is, and what was caught.", [("Now", head), ("Alerts", alerts), ("Tainted units", taint), ("Freezing", freezing), ("Freeze windows", windows), ("What to freeze now", worth)])


def main():
    differs = []
    for name, made in [("service", service()), ("input-quality", quality()), ("tracing-and-freezing", tracing())]:
        path = HERE / "dashboards" / f"{name}.json"
        text = json.dumps(made, indent=2, ensure_ascii=False) + "\n"
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            differs.append(path.name)
    if differs:
        sys.exit(f"these differ from what dashboards.py writes; run it and commit them: {', '.join(differs)}")


if __name__ == "__main__":
    main()
