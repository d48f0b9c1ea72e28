"""A Windows event has the same columns and the same names of fields, whichever shipper wrote it down."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from support.entries import batch_of
from vedette.formats import FormatEngine, load_library

LIBRARY = load_library()
CHANNEL, PROVIDER = "Microsoft-Windows-Sysmon/Operational", "Microsoft-Windows-Sysmon"
TIME = "2026-11-23T22:04:17.123Z"
DATA = {"Image": r"C:\Windows\System32\whoami.exe", "CommandLine": "whoami /all", "User": r"SHOP\anna", "RuleName": "-"}


def dotted(prefix: str, members: dict[str, Any]) -> dict[str, Any]:
    return {f"{prefix}.{name}": value for name, value in members.items()}


def camel(members: dict[str, Any]) -> dict[str, Any]:
    return {name[0].lower() + name[1:]: value for name, value in members.items()}


WINLOG = {"channel": CHANNEL, "event_id": "1", "provider_name": PROVIDER, "computer_name": "pc7"}
SYSTEM = {"Channel": CHANNEL, "EventID": 1, "Provider.Name": PROVIDER, "Computer": "pc7", "TimeCreated": TIME}
WAZUH = {"providerName": PROVIDER, "eventID": "1", "systemTime": TIME, "channel": CHANNEL, "computer": "pc7"}
LAYOUTS: dict[str, dict[str, Any]] = {
    "winlogbeat": {"@timestamp": TIME, "winlog": WINLOG | {"event_data": DATA}},
    "winlogbeat, dotted": {"@timestamp": TIME, **dotted("winlog", WINLOG), **dotted("winlog.event_data", DATA)},
    "winlogbeat, without event_data": {"@timestamp": TIME, "winlog": WINLOG | DATA},
    "winlogbeat 6": {
        "@timestamp": TIME, "log_name": CHANNEL, "event_id": 1, "source_name": PROVIDER, "computer_name": "pc7",
        "event_data": DATA,
    },
    "search hit": {"_id": "x", "_source": {"@timestamp": TIME, "winlog": WINLOG | {"event_data": DATA}}},
    "System and EventData, dotted": dotted("System", SYSTEM) | dotted("EventData", DATA),
    "only EventData dotted": {
        "TimeCreated": TIME, "Channel": CHANNEL, "EventID": 1, "ProviderName": PROVIDER, "Computer": "pc7",
        **dotted("EventData", DATA),
    },
    "Event, dotted": dotted("Event.System", SYSTEM) | dotted("Event.EventData", DATA),
    "attributes beside their element": {
        "Event": {
            "System": {
                "Provider_attributes": {"Name": PROVIDER, "Guid": "{0}"}, "EventID": 1, "Channel": CHANNEL,
                "TimeCreated_attributes": {"SystemTime": TIME}, "Computer": "pc7",
            },
            "EventData": DATA,
        }
    },
    "attributes as members": {
        "System": {
            "Provider": {"Name": PROVIDER}, "EventID": {"Value": 1}, "TimeCreated": {"SystemTime": 1795471457.123},
            "Channel": CHANNEL, "Computer": "pc7",
        },
        "EventData": DATA,
    },
    "manager's alert": {"data": {"win": {"system": WAZUH, "eventdata": camel(DATA)}}, "rule": {"id": "61603"}},
    "agent's archive": {"win": {"system": WAZUH, "eventdata": camel(DATA)}},
    "PowerShell": {
        "Id": 1, "ProviderName": PROVIDER, "LogName": CHANNEL, "MachineName": "pc7", "TimeCreated": TIME, **DATA,
    },
    "small letters": {
        "timecreated": TIME, "channel": CHANNEL, "eventid": 1, "providername": PROVIDER, "computer": "pc7",
        **{name.lower(): value for name, value in DATA.items()},
    },
}  # fmt: skip


def decoded(*records: dict[str, Any]) -> pl.DataFrame:
    return FormatEngine(LIBRARY).decode([batch_of([json.dumps(record) for record in records])])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_yields_the_same_event(layout: str) -> None:
    event = decoded(LAYOUTS[layout]).row(0, named=True)
    told = [event[name] for name in ("log.format", "host.name", "user.name", "process.name", "process.executable")]
    assert told == ["windows-event", "pc7", DATA["User"], PROVIDER, DATA["Image"]]
    assert event["process.command_line"] == "whoami /all"
    assert event["@timestamp"].isoformat() == "2026-11-23T22:04:17.123000+00:00"
    fields = json.loads(event["fields"])
    names = {"Channel": CHANNEL, "EventID": "1", "Provider_Name": PROVIDER, "Computer": "pc7", **DATA}
    folded = {name.lower(): value for name, value in fields.items()}
    assert {name: fields.get(name) for name in ("Channel", "EventID", "Provider_Name", "Image")} == {
        name: names[name] for name in ("Channel", "EventID", "Provider_Name", "Image")
    }
    assert {name: folded.get(name.lower()) for name in names} == names


def test_layouts_beside_one_another_are_read_as_alone() -> None:
    together = decoded(*LAYOUTS.values())
    alone = pl.concat([decoded(record) for record in LAYOUTS.values()])
    names = ["log.format", "user.name", "process.executable", "fields", "@timestamp"]
    assert together.select(names).equals(alone.select(names))


@pytest.mark.parametrize(
    "record",
    [
        {"eventId": 12, "channel": "web", "message": "clicked"},
        {"id": 12, "channel": "security-team", "text": "hello"},
        {"Id": 7, "logName": "orders", "message": "stored"},
    ],
    ids=["event of an application", "chat", "log of an application"],
)
def test_numbers_and_channels_of_others_are_no_windows_events(record: dict[str, Any]) -> None:
    assert decoded(record)["log.format"].to_list() != ["windows-event"]


def test_data_of_an_event_keeps_its_own_names() -> None:
    system = {"EventID": 104, "Channel": "System", "Computer": "pc7", "Provider": {"#attributes": {"Name": "Eventlog"}}}
    data = {"ProviderName": "Other", "RecordId": "7", "Id": "9"}
    event = decoded({"Event": {"System": system, "EventData": data}}).row(0, named=True)
    fields = json.loads(event["fields"])
    assert (fields["EventID"], fields["Provider_Name"]) == ("104", "Eventlog")
    assert {name: fields.get(name) for name in data} == data
