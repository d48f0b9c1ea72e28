"""What captures are called: after event columns where key, place or content tell, `fields.<key>` otherwise."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from vedette.formats.learning.kinds import ABSENT, METHODS, MORE_LEVELS, are_levels, common_kind, kind_of
from vedette.formats.learning.known import FAILURE, SUCCESS, is_account, is_action, is_host
from vedette.formats.learning.parts import Capture, Fixed, Group, Part, captures_in
from vedette.formats.learning.rows import Row

_COLUMNS_BY_KEY: Final = {
    key: column
    for column, keys in {
        "time": "time ts timestamp when at date datetime t eventtime logtime stamp tm dt occurred created",
        "log.level": "level lvl lev severity sev loglevel prio priority lv importance",
        "message": "msg message text txt detail details description desc body note info comment what remark remarks",
        "host.name": "host hostname node server machine computer device hst dev box",
        "process.name": "logger component comp module mod service svc srv app application program prog proc process daemon "
        "unit subsystem subsys component.name facility component_name",
        "process.pid": "pid processid procid",
        "user.name": "user usr username uname login account acct acc who actor principal userid subject subj operator u person "
        "uid owner player member customer cust employee emp loginname client.user",
        "source.address": "remoteaddr remoteip remotehost remote clientip clientaddr client srcip srcaddr src source sourceip "
        "ip addr address ipaddr ipaddress peer peerip from rhost origin caller callerip sip saddr host.ip sourceaddress cip",
        "source.port": "sport srcport port clientport spt peerport remoteport sourceport",
        "destination.address": "dst dstip dest destination destip to target destinationip dip daddr dstaddr serverip",
        "destination.port": "dport dstport destport destinationport dpt serverport",
        "event.action": "action act op operation event evt verb activity",
        "event.outcome": "outcome result res status rc state success verdict",
        "http.request.method": "method meth httpmethod requestmethod verb",
        "url.original": "url uri path request requesturi target resource",
        "http.response.status_code": "status statuscode httpstatus code sc responsecode",
        "user_agent.original": "ua useragent agent",
        "process.executable": "exe executable binary image",
        "process.command_line": "cmd command cmdline commandline",
    }.items()
    for key in keys.split()
}
"""The column a key most often means; `_suits` decides by what it holds."""
_OTHER_COLUMNS: Final = {
    "status": ("http.response.status_code", "event.outcome"),
    "code": ("http.response.status_code",),
    "verb": ("http.request.method", "event.action"),
    "target": ("destination.address", "url.original"),
    "source": ("source.address", "process.name"),
    "login": ("user.name", "event.outcome"),
    "from": ("source.address",),
    "host": ("host.name",),
    "result": ("event.outcome",),
}
"""Keys that mean several things, the likeliest first."""

_COMPONENT: Final = re.compile(
    r"[A-Za-z_][\w$-]*(?:[.][A-Za-z_][\w$-]*)+|[a-z]+[-_](?:svc|service|api|server|daemon|worker|srv)|[a-z]{2,}d"
)
_PLAIN_NAME: Final = re.compile(r"[A-Za-z][A-Za-z_.-]{2,}")
_TRANSPORTS: Final = frozenset(
    ("tcp", "udp", "icmp", "sctp", "igmp", "gre", "esp", "TCP", "UDP", "ICMP", "SCTP", "IGMP")
)
_THREAD: Final = re.compile(r"(?:[\w. -]*(?:thread|exec|pool|worker)|main$|Thread-)", re.IGNORECASE)
_RANGES: Final = {
    "source.port": (0, 65_535),
    "destination.port": (0, 65_535),
    "process.pid": (0, 2**32),
    "http.response.status_code": (100, 599),
}
_QUANTITIES: Final = frozenset(("integer", "number", "quantity", "clock"))
_PEER_WORDS: Final = frozenset(
    ["from", "client", "peer", "by", "ip", "address", "addr", "source", "src", "remote", "rhost"]
)
_USER_WORDS: Final = frozenset(["user", "for", "account", "login", "username", "as"])


@dataclass(slots=True)
class Names:
    """What is taken already; the names of one pattern."""

    taken: set[str] = field(default_factory=set)

    def take(self, *wished: str) -> str:
        """The first that is free; the last gets a number where none is."""
        for name in wished:
            if name and name not in self.taken:
                self.taken.add(name)
                return name
        number = 2
        while f"{wished[-1]}{number}" in self.taken:
            number += 1
        self.taken.add(f"{wished[-1]}{number}")
        return f"{wished[-1]}{number}"


def name_captures(parts: Sequence[Part], header: Sequence[str] = ()) -> None:
    """Give every capture its name. `header` are names that the file itself writes above its columns."""
    _look_around(parts)
    captures = [capture for capture in captures_in(parts) if not capture.is_anonymous]
    for capture, title in zip(captures, header if len(header) == len(captures) else (), strict=False):
        capture.key = capture.key or title
    names = Names()
    left = [capture for capture in captures if not _name_stamp(capture, names)]
    left = [capture for capture in left if not _name_by_key(capture, names, captures)]
    left = [capture for capture in left if not _name_by_place(capture, names)]
    _name_message(left, names)
    _name_by_content([capture for capture in left if not capture.name and not capture.holds], names, captures)


def used_levels(captures: Iterable[Capture]) -> set[str]:
    return {text for capture in captures if capture.name == "log.level" for text in capture.texts if text not in ABSENT}


def _look_around(parts: Sequence[Part], after: str = "") -> None:
    for place, part in enumerate(parts):
        following = parts[place + 1] if place + 1 < len(parts) else None
        if isinstance(part, Capture):
            part.after = after
            part.before = following.text if isinstance(following, Fixed) else ""
            after = ""
        elif isinstance(part, Group):
            _look_around(part.parts, after)
        else:
            after = f"{after}{part.text}" if part.text.strip() or after else part.text


def _name_stamp(capture: Capture, names: Names) -> bool:
    if capture.kind != "stamp":
        return False
    capture.name = names.take("time", f"fields.{_field_key(capture.key) or 'time'}")
    return True


def _name_by_key(capture: Capture, names: Names, captures: Sequence[Capture]) -> bool:
    if not capture.key:
        return False
    key = _plain(capture.key)
    wished = _OTHER_COLUMNS.get(key, (_COLUMNS_BY_KEY.get(key, ""),))
    column = next((one for one in wished if one and one not in names.taken and _suits(one, capture, captures)), "")
    own = f"fields.{_field_key(capture.key)}"
    if column == "event.outcome":
        capture.name, capture.also = names.take(column), names.take(own)
    else:
        capture.name = names.take(column, own) if column else names.take(own)
    return True


def _suits(column: str, capture: Capture, captures: Sequence[Capture]) -> bool:
    """May the column hold what the capture holds?"""
    texts = [text for text in capture.texts if text not in ABSENT]
    kind = _kind_of(texts)
    match column:
        case "log.level":
            return bool(texts) and are_known_levels(texts)
        case "source.address" | "destination.address":
            return _share(texts, _is_address) > 0.5 or _share(texts, is_host) > 0.5
        case "source.port" | "destination.port" | "process.pid" | "http.response.status_code":
            lowest, highest = _RANGES[column]
            return kind == "integer" and all(lowest <= int(text) <= highest for text in texts)
        case "user.name":
            is_number = kind in _QUANTITIES and (kind != "integer" or _plain(capture.key) == "uid")
            return not is_number and not are_outcomes(texts) and _share(texts, _is_address) < 0.5
        case "event.outcome":
            return are_outcomes(texts)
        case "http.request.method":
            return kind == "method"
        case "url.original":
            return kind == "url" or (kind == "path" and _has_method(captures))
        case "host.name" | "process.name" | "event.action":
            return kind not in _QUANTITIES
        case _:
            return column != "time"


def _has_method(captures: Sequence[Capture]) -> bool:
    return any(other.texts and set(other.texts) - ABSENT <= METHODS for other in captures)


def are_known_levels(texts: Iterable[str]) -> bool:
    return are_levels(texts) or all(text.lower() in MORE_LEVELS or are_levels([text, "info"]) for text in texts)


def are_outcomes(texts: Sequence[str]) -> bool:
    """Every value says that something succeeded or failed."""
    words = {text.lower() for text in texts}
    return bool(words) and words <= SUCCESS | FAILURE


def _name_by_place(capture: Capture, names: Names) -> bool:
    """`sshd[24]`, `user anna`, `from 192.0.2.1`, `10.0.0.1:22`."""
    texts = [text for text in capture.texts if text not in ABSENT]
    kind = _kind_of(texts)
    word = re.findall(r"[a-z]+", capture.after.lower())[-1:] if re.search(r"[a-zA-Z]\W*$", capture.after) else []
    name = ""
    if kind == "integer" and capture.after in {"[", "("} and capture.before[:1] in tuple("])"):
        name = "process.pid" if _share(texts, lambda text: len(text) <= 7) == 1 else ""
    elif word and word[0] in _PEER_WORDS and _share(texts, _is_address) > 0.5:
        name = "source.address"
    elif word and word[0] == "port" and kind == "integer":
        name = "source.port"
    elif word and word[0] in _USER_WORDS and kind in {"word", "identifier", "mixed"}:
        name = "user.name"
    elif capture.before[:1] in {"[", "("} and kind in {"word", "identifier"} and capture.after[-1:] not in tuple("[("):
        name = "process.name"
    if not name or name in names.taken or are_levels(texts):
        return False
    capture.name = names.take(name)
    return True


def _name_message(captures: Sequence[Capture], names: Names) -> None:
    """The text that reads like a sentence; the last of several."""
    if "message" in names.taken:
        return
    texts = [capture for capture in captures if not capture.name and (capture.kind == "text" or _is_wordy(capture))]
    said = [capture for capture in texts if not capture.holds] or texts
    if said:
        said[-1].name = names.take("message")


def _is_wordy(capture: Capture) -> bool:
    if capture.kind not in {"value", "quoted", "padded"} or capture.key:
        return False
    return _share(capture.texts, lambda text: text.count(" ") >= 2) > 0.5 and len(set(capture.texts)) > 1


def _name_by_content(captures: Sequence[Capture], names: Names, everything: Sequence[Capture]) -> None:
    for before, capture in itertools.pairwise(everything):
        capture.follows_level = before.name == "log.level" or are_levels(before.texts)
    _name_between(captures, names, everything)
    for capture in captures:
        if capture.name:
            continue
        texts = [text for text in capture.texts if text not in ABSENT]
        kind = _kind_of(texts)
        word = re.search(r"([A-Za-z]{2,})[^A-Za-z]*$", capture.after)
        place = f"fields.{word[1].lower()}" if word else f"fields.column{everything.index(capture) + 1}"
        if are_outcomes(texts) and "event.outcome" not in names.taken and not are_levels(texts):
            capture.name, capture.also = names.take("event.outcome"), names.take("fields.outcome", place)
        else:
            capture.name = names.take(*_by_kind(kind, texts, capture, everything), place)


def _name_between(captures: Sequence[Capture], names: Names, everything: Sequence[Capture]) -> None:
    """The usual order: the host stands between stamp and program, the pid between stamp and level."""
    for before, capture, after in zip(everything, everything[1:], everything[2:], strict=False):
        if before.name != "time" or capture.name or capture not in captures:
            continue
        kind = _kind_of(capture.texts)
        if kind in {"word", "identifier"} and after.name == "process.name" and "process.pid" in names.taken:
            capture.name = names.take("host.name", "fields.host")
        elif kind == "integer" and (after.name == "log.level" or are_levels(after.texts)):
            capture.name = names.take("process.pid", "fields.pid")


def _by_kind(kind: str, texts: Sequence[str], capture: Capture, everything: Sequence[Capture]) -> tuple[str, ...]:
    """The columns that such texts may be, the likeliest first."""
    if are_levels(texts):
        return ("log.level",)
    if _share(texts, _is_address) > 0.5:
        return ("source.address", "destination.address")
    if kind == "method":
        return ("http.request.method",)
    if kind in {"path", "url", "integer"} and _has_method(everything):
        return _of_a_request(kind, texts)
    if kind in {"uuid", "mac", "hex", "path", "url"}:
        return (f"fields.{kind if kind != 'hex' else 'id'}",)
    if kind in _QUANTITIES:
        return ()
    return _by_words(sorted(set(texts)), capture, is_name=kind in {"word", "identifier"})


def _of_a_request(kind: str, texts: Sequence[str]) -> tuple[str, ...]:
    if kind != "integer":
        return ("url.original",)
    return ("http.response.status_code",) if all(100 <= int(text) <= 599 for text in texts) else ()


def _by_words(distinct: Sequence[str], capture: Capture, *, is_name: bool) -> tuple[str, ...]:
    for test, column in (
        (lambda text: "Mozilla/" in text or "curl/" in text, "user_agent.original"),
        (_THREAD.match, "fields.process.thread.name"),
        (is_host, "host.name"),
        (is_account, "user.name"),
    ):
        if _share(distinct, test) >= 0.5:
            return (column,)
    if not is_name:
        return ()
    if _share(distinct, is_action) > 0.6:
        return ("event.action",)
    if set(distinct) <= _TRANSPORTS:
        return ("fields.network.transport",)
    if capture.before[:1] == ":":
        return ("process.name", "fields.logger")
    is_repeated = 4 * len(distinct) <= len(capture.texts) and _share(distinct, _is_plain_name) >= 0.5
    is_bracketed = capture.after[-1:] in tuple("[(<{") and capture.before[:1] in tuple("])>}")
    is_component = _share(distinct, _is_component) > 0.5
    if is_component or (is_repeated and (is_bracketed or capture.before[:1] == "#" or capture.follows_level)):
        return ("process.name",)
    return ()


def _is_plain_name(text: str) -> bool:
    return bool(_PLAIN_NAME.fullmatch(text))


def _is_component(text: str) -> bool:
    return bool(_COMPONENT.fullmatch(text))


def _kind_of(texts: Sequence[str]) -> str:
    if not texts:
        return "absent"
    kinds = {kind_of(Row(text, text)) for text in texts}
    return "method" if set(texts) <= METHODS else common_kind(kinds)


def _is_address(text: str) -> bool:
    return kind_of(Row(text, text)) in {"ip", "ip-port"}


def _share(texts: Sequence[str], test: Callable[[str], object]) -> float:
    return sum(bool(test(text)) for text in texts) / len(texts) if texts else 0.0


def _plain(key: str) -> str:
    return re.sub(r"[-_. @]", "", key).lower()


def _field_key(key: str) -> str:
    """A name a capture may have."""
    return re.sub(r"[^\w.]+", "_", key).strip("_.") or "value"
