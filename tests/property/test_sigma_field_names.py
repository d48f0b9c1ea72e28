"""A rule's field is found in the same place of an event whether it is looked for in columns or in one event alone."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from support.sigma_events import events_of
from vedette.detection.sigma.distinct import FlatEvents
from vedette.detection.sigma.fields import Record

NAMES = ["Image", "image", "User", "user.name", "Deep.Name", "a:", "ÄB", 'q"k', "back\\slash", "x"]

spellings = st.sampled_from(NAMES).flatmap(
    lambda name: st.sampled_from([name, name.lower(), name.upper(), name.swapcase(), f"x{name}", f"x.{name}"])
)
prefixes = st.sampled_from(["", "", "", "EventData.", "winlog.event_data.", "winlog.", "Event.EventData.", ",", '"'])
keys = st.builds(str.__add__, prefixes, spellings)
texts = st.sampled_from(["", "v", "w", ',"image":"no"', "ends with,", "\\", "{", 'Image":"no'])
flat_objects = st.lists(st.dictionaries(keys, texts, max_size=6), min_size=1, max_size=6)
places = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True).map(tuple)


def flat(members: dict[str, str], user: str | None) -> dict[str, Any]:
    text = json.dumps(members, ensure_ascii=False, separators=(",", ":"))
    return {"log.format": "windows-event", "fields": text, "user.name": user}


@settings(max_examples=300)
@given(flat_objects, st.lists(places, min_size=1, max_size=4), st.booleans(), st.data())
def test_columns_and_single_events_find_the_same_values(
    objects: list[dict[str, str]], asked: list[tuple[str, ...]], at_once: bool, data: st.DataObject
) -> None:
    """`at_once` takes the fields out all together, as for rules that look at every event."""
    users = data.draw(st.lists(st.sampled_from([None, "anna"]), min_size=len(objects), max_size=len(objects)))
    events: pl.DataFrame = events_of(*(flat(one, user) for one, user in zip(objects, users, strict=True)))
    names = sorted({name for places in asked for name in places}) if at_once else ()
    columns = FlatEvents(events, names)
    for places in asked:
        alone = [Record(row).values(places) for row in events.iter_rows(named=True)]
        assert [() if one is None else (one,) for one in columns.values(places)] == alone
