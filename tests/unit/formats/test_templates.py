"""Messages that say the same of different things have one template, and it stays known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from support.events import START, event_frame
from vedette.formats.templates import TemplateMiner


def assigned(miner: TemplateMiner, messages: Sequence[str | None], *, later: timedelta = timedelta()) -> list[str]:
    """Ids as the events carry them."""
    rows = [{"message": message, "event.ingested": START + later, "log.format": "f"} for message in messages]
    return miner.assign(event_frame(rows))["template.id"].to_list()


def texts(messages: Sequence[str]) -> list[str]:
    """The template of each message, once all of them are known."""
    miner = TemplateMiner()
    found = [miner.template(template_id) for template_id in assigned(miner, messages)]
    return [template.text for template in found if template]


@pytest.mark.parametrize(
    ("message", "template"),
    [
        ("Connection closed by 192.0.2.7 port 22 [preauth]", "Connection closed by <*> port <*> [preauth]"),
        ("Connection closed by 2001:db8::7 port 22 [preauth]", "Connection closed by <*> port <*> [preauth]"),
        ("Connection closed by ::ffff:192.0.2.7 port 22", "Connection closed by <*> port <*>"),
        ("lease for 52:54:00:ab:cd:ef ends", "lease for <*> ends"),
        ("peer vpn.example.com:1194 is gone", "peer <*> is gone"),
        ("peer 192.0.2.7:1194 is gone", "peer <*> is gone"),
        ("GET /login HTTP/1.1", "GET <*> HTTP/<*>"),
        ("GET / HTTP/1.1", "GET <*> HTTP/<*>"),
        ("GET /a/b.php?q=<script>alert(1)</script> HTTP/1.1", "GET <*> HTTP/<*>"),
        ("fetching https://mirror.example.org/pool/main, please wait", "fetching <*>, please wait"),
        ("image at (/var/lib/images/base): checking", "image at (<*>): checking"),
        (r"deleted C:\Windows\Temp\a.tmp at once", "deleted <*> at once"),
        ("job 0b72aca0-102e-4421-8ff3-2902d8353ff0 done", "job <*> done"),
        ("block blk_-8502460962248995911 is late", "block <*> is late"),
        ("sent 474 bytes, received 4042 bytes (3.94 KB), lasted <1 sec", "sent <*>, received <*>, lasted <*>"),
        ("sent 474 KB, received 1 byte, lasted 01:07:48", "sent <*>, received <*>, lasted <*>"),
        ("connected at Tue Jul 26 05:47:42 2005", "connected at <*>"),
        ("mail for root@host.example.com is waiting", "mail for <*> is waiting"),
        ("digest cafebabe differs", "digest <*> differs"),
        ("locked=true, owner=null, level=3", "locked=<*>, owner=<*>, level=<*>"),
        ("ask for blocks b1 b2 b3 b4", "ask for blocks <*>"),
        ("session opened for user alice by (uid=0)", "session opened for user <*> by (uid=<*>)"),
        ("Failed password for invalid user bob from 192.0.2.7", "Failed password for invalid user <*> from <*>"),
        ("Accepted publickey for carol from 192.0.2.7", "Accepted publickey for <*> from <*>"),
        ("Bad password attempt for 'dave' from 192.0.2.7", "Bad password attempt for <*> from <*>"),
        ("User erin from 192.0.2.7 not allowed: no shell", "User <*> from <*> not allowed: no shell"),
        ("no such user found from 192.0.2.7", "no such user found from <*>"),
        ("start <192.0.2.7@198.51.100.1/2001:db8::1>", "start <<*>>"),
        ("connection from 192.0.2.7 () refused", "connection from <*> (<*>) refused"),
        ("data store interrupt.........0", "data store interrupt.........<*>"),
        ("  two   spaces\tand a tab ", "two spaces and a tab"),
        ("Straße Köln42 gesperrt", "Straße <*> gesperrt"),
        ("Traceback of worker 3:\n  File x, line 7\nValueError", "Traceback of worker <*>:"),
        ("no value in here at all", "no value in here at all"),
    ],
)
def test_typed_values_are_masked(message: str, template: str) -> None:
    assert texts([message]) == [template]


def test_words_are_constant_while_few_stand_at_their_place() -> None:
    messages = [f"The link of the uplink went {word} again" for word in ("up", "down", "away", "home")]
    assert texts(messages) == messages


def test_many_words_at_one_place_are_values() -> None:
    messages = [f"rejected the account {name} of this host" for name in ("anna", "bert", "carla", "dora", "emil")]
    assert set(texts(messages)) == {"rejected the account <*> of this host"}


def test_a_word_where_a_typed_value_stands_is_a_value() -> None:
    assert set(texts(["rejected the account u17 of this host", "rejected the account anna of this host"])) == {
        "rejected the account <*> of this host"
    }


def test_few_constant_words_need_more_evidence() -> None:
    services = ["cron", "dbus", "auditd", "chronyd", "sshd", "rsyslogd", "postfix", "named"]
    assert len(set(texts([f"{name} startup succeeded" for name in services]))) == len(services)
    many = [f"{name} startup succeeded" for name in "abcdefghijklmnop"]
    assert set(texts(many)) == {"<*> startup succeeded"}


def test_quoted_phrases_are_one_place() -> None:
    phrases = ["is busy", "went away", "has no room left", "said no", "does not know you"]
    messages = [f'the mail server answered "it {phrase}" and hung up' for phrase in phrases]
    assert set(texts(messages)) == {'the mail server answered "<*>" and hung up'}


def test_two_places_are_found_one_after_the_other() -> None:
    names = ["anna", "bert", "carla", "dora", "emil"]
    messages = [f"user {a} asked to join the group {b} today" for a in names for b in names]
    assert set(texts(messages)) == {"user <*> asked to join the group <*> today"}


def test_ids_depend_on_the_text_alone() -> None:
    first, second = TemplateMiner(), TemplateMiner()
    assigned(first, ["something else entirely"])
    assert assigned(first, ["disk 1 is full"]) == assigned(second, ["disk 2 is full"])


def test_after_a_merge_old_ids_lead_to_the_new_template() -> None:
    miner = TemplateMiner()
    old = assigned(miner, ["rejected the account anna of this host"] * 3)
    new = assigned(
        miner, [f"rejected the account {name} of this host" for name in ("bert", "carla", "dora", "emil", "anna")]
    )
    assert len(set(new)) == 1
    assert old[0] != new[0]
    merged = miner.template(old[0])
    assert merged is not None
    assert (merged.id, merged.count) == (new[0], 8)
    assert {old[0], new[0]} <= miner.aliases(new[0])
    assert miner.aliases(old[0]) == miner.aliases(new[0])
    assert [template.id for template in miner.templates()] == [new[0]]


def test_templates_tell_how_often_and_when() -> None:
    miner = TemplateMiner()
    assigned(miner, ["disk 1 is full", "other", "disk 2 is full"])
    disk = next(template for template in miner.templates() if template.text == "disk <*> is full")
    assert (disk.count, disk.format) == (2, "f")
    assert (disk.first_seen, disk.last_seen) == (START, START + timedelta(seconds=2))


def test_events_without_a_message_are_known_by_their_original() -> None:
    frame = event_frame([{"message": None, "event.original": "port 7 open"}, {"message": "", "event.original": ""}])
    miner = TemplateMiner()
    ids = miner.assign(frame)["template.id"].to_list()
    assert ids[1] is None
    assert [template.text for template in miner.templates()] == ["port <*> open"]


def test_only_the_beginning_of_a_long_message_counts() -> None:
    start = "word " * 300
    assert len(set(texts([start + "one ending", start + "another ending"]))) == 1
    assert texts(["list " + "blk_12345678 " * 200]) == texts(["list blk_1 blk_2"])


def test_least_recently_met_templates_are_forgotten_and_counted() -> None:
    miner = TemplateMiner(max_templates=40)
    words = [f"{a}{b}" for a in "abcdefgh" for b in "ijklmnop"]
    assigned(miner, ["keep me in mind"])
    for word in words:
        assigned(miner, [f"{word} {word} {word} {word}", "keep me in mind"])
    assert len(miner.templates()) <= 40
    assert miner.forgotten >= len(words) - 40
    assert "keep me in mind" in {template.text for template in miner.templates()}
    again = assigned(miner, [f"{words[0]} {words[0]} {words[0]} {words[0]}"])
    assert miner.template(again[0]) is not None


def test_forgotten_templates_leave_the_state() -> None:
    miner = TemplateMiner(max_templates=8)
    state: dict[str, bytes] = {}
    for letter in "abcdefghijklmnopqrstuvwxyz":
        assigned(miner, [f"{letter} {letter}x {letter}y {letter}z"])
        state |= miner.snapshots()
    kept = [row[0] for content in state.values() for row in json.loads(content)["templates"]]
    assert sorted(kept) == sorted(template.text for template in miner.templates())
    assert len(kept) <= 8


def test_free_text_behind_the_same_beginning_becomes_one_template() -> None:
    miner = TemplateMiner(max_per_head=10)
    ids = assigned(miner, [f"guest book entry: {'ha' * n} {'ho ' * n}" for n in range(1, 60)])
    assert len(set(ids)) == 11
    assert "guest book entry <*>" in {template.text for template in miner.templates()}


def test_few_skeletons_are_remembered_yet_all_are_recognised() -> None:
    miner = TemplateMiner(max_remembered=4)
    messages = [f"{a} {a}x {a}y {a}z" for a in "abcdefghijklmnop"]
    assert assigned(miner, messages) == assigned(miner, messages)
    assert len(miner.templates()) == len(messages)


class TestState:
    NAMES = ("bert", "carla", "dora", "emil", "fritz")

    def learned(self) -> tuple[TemplateMiner, dict[str, bytes]]:
        miner = TemplateMiner()
        assigned(miner, ["disk 1 is full", "rejected the account anna of this host"])
        assigned(miner, [f"rejected the account {name} of this host" for name in self.NAMES])
        return miner, miner.snapshots()

    def test_is_continued_after_a_restart(self) -> None:
        miner, state = self.learned()
        restarted = TemplateMiner()
        restarted.restore(state | {"formats": b"{}"})
        assert sorted(restarted.templates(), key=lambda one: one.id) == sorted(
            miner.templates(), key=lambda one: one.id
        )
        news = ["rejected the account gerda of this host", "disk 9 is full", "something new"]
        assert assigned(restarted, news) == assigned(miner, news)
        old = assigned(TemplateMiner(), ["rejected the account anna of this host"])[0]
        assert restarted.aliases(old) == miner.aliases(old)

    def test_evidence_from_before_a_restart_counts(self) -> None:
        miner = TemplateMiner()
        assigned(miner, [f"rejected the account {name} of this host" for name in self.NAMES[:4]])
        restarted = TemplateMiner()
        restarted.restore(miner.snapshots())
        assigned(restarted, [f"rejected the account {self.NAMES[4]} of this host"])
        assert [template.text for template in restarted.templates()] == ["rejected the account <*> of this host"]

    def test_is_written_only_where_it_changed(self) -> None:
        miner, state = self.learned()
        assert miner.snapshots() == {}
        for letter in "abcdefghijklmnopqrstuvwxyz":
            assigned(miner, [f"{letter} {letter}x {letter}y {letter}z"])
        assert len(miner.snapshots()) > 10
        assigned(miner, ["one more kind of message"])
        changed = miner.snapshots()
        assert len(changed) == 1
        assert "one more kind of message" in changed.popitem()[1].decode()
        assert len(state) < 10

    def test_counts_of_known_templates_are_written_now_and_then(self) -> None:
        miner, state = self.learned()
        assigned(miner, ["disk 2 is full"])
        assert miner.snapshots() == {}
        assigned(miner, ["disk 2 is full"], later=timedelta(minutes=2))
        state |= miner.snapshots()
        restarted = TemplateMiner()
        restarted.restore(state)
        assert {template.text: template.count for template in restarted.templates()}["disk <*> is full"] == 3

    def test_counts_of_many_lines_are_written_soon(self) -> None:
        miner, _ = self.learned()
        assigned(miner, ["disk 2 is full"] * 100)
        assert len(miner.snapshots()) == 1

    @pytest.mark.parametrize("broken", [b"", b"[]", b'{"templates": [["text"]]}', b'{"templates": 7}', b"\xff"])
    def test_what_is_unreadable_in_it_is_learned_anew(self, broken: bytes) -> None:
        _, state = self.learned()
        damaged = next(iter(state))
        restarted = TemplateMiner()
        with capture_logs() as logs:
            restarted.restore(state | {damaged: broken})
        assert [(entry["event"], entry["key"]) for entry in logs] == [("templates_unreadable", damaged)]
        assert assigned(restarted, ["disk 4 is full"]) == assigned(TemplateMiner(), ["disk 5 is full"])
