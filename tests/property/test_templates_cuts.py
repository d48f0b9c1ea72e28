"""Templates do not depend on how the messages came in, and no message is too strange for one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from support.events import event_frame
from vedette.formats.templates import TemplateMiner
from vedette.formats.templates.masks import tidy

NAMES = ("anna", "bert", "carla", "dora", "emil", "u42")
WORDS = st.sampled_from(
    [
        *("open", "close", "session", "for", "user", "from", "192.0.2.7", "42", "()", "<*>", ":", "it's", *NAMES),
        *("state=up", 'name="one two"', "(uid=0)", "a.example.com", "/var/log/x", "10 ms"),
    ]
)
ALIKE = st.builds(
    "the account {} of {} was seen by the {} door".format,
    st.sampled_from(NAMES),
    st.sampled_from(NAMES),
    st.sampled_from(["north", "south"]),
)
MESSAGES = ALIKE | st.lists(WORDS, min_size=1, max_size=7).map(" ".join)
BATCHES = st.lists(MESSAGES, min_size=1, max_size=60)


def final_ids(messages: Sequence[str], cuts: Sequence[int]) -> list[str | None]:
    """The template of each message once all are known, when they come in pieces."""
    miner = TemplateMiner()
    ids: list[str | None] = []
    for start, end in pairwise([0, *cuts, len(messages)]):
        frame = event_frame([{"message": message} for message in messages[start:end]])
        ids += miner.assign(frame)["template.id"].to_list()
    return [template.id if one and (template := miner.template(one)) else None for one in ids]


@settings(max_examples=80, deadline=None)
@given(BATCHES, st.data())
def test_the_cut_into_batches_does_not_matter(messages: list[str], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(messages)), max_size=4)))
    assert final_ids(messages, cuts) == final_ids(messages, [])


@settings(max_examples=40, deadline=None)
@given(BATCHES, st.data())
def test_a_restart_between_batches_does_not_matter(messages: list[str], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(messages)))
    first, second = TemplateMiner(), TemplateMiner()
    before = first.assign(event_frame([{"message": message} for message in messages[:cut]]))["template.id"].to_list()
    second.restore(first.snapshots())
    after = second.assign(event_frame([{"message": message} for message in messages[cut:]]))["template.id"].to_list()
    found = [template.id if (template := second.template(one)) else None for one in before + after]
    assert found == final_ids(messages, [])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=80), max_size=20))
def test_any_text_gets_a_template_and_stays_in_its_place(messages: list[str]) -> None:
    frame = event_frame([{"message": message} for message in messages])
    miner = TemplateMiner()
    assigned = miner.assign(frame)
    assert assigned.drop("template.id").equals(frame.drop("template.id"))
    ids = assigned["template.id"].to_list()
    assert all(bool(one) == bool(message.strip()) for one, message in zip(ids, messages, strict=True))
    assert [miner.template(one) is not None for one in ids if one] == [True for one in ids if one]


@given(st.lists(WORDS | st.text(max_size=8), max_size=12).map(" ".join))
def test_tidying_twice_changes_nothing(text: str) -> None:
    assert tidy(tidy(text)) == tidy(text)
