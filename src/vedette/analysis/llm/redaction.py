"""Takes out of texts what must not leave the machine, and puts names back into what comes home."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any, Final

SECRET: Final = "[secret]"  # noqa: S105 - what stands where one was
LONGEST: Final = 4_000
"""Characters of a text that are looked at; what is behind them is never sent."""

_VALUE: Final = r"""(?:"(?:[^"\\]|\\.){1,500}"|'[^']{1,500}'|[^\s"'&,;]{1,500})"""
_SECRETS: Final = (
    re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.{0,4000}?(?:-----END [A-Z ]{0,30}KEY-----|$)", re.DOTALL),
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?"),
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    re.compile(r"\b(?:sk|pk|rk|gh[opsu]|glpat|xox[abprs]|hf)[-_][\w-]{16,}"),
    re.compile(r"\$(?:1|2[aby]|5|6|y|argon2id?)\$[\w./$=,+-]{8,}"),
    re.compile(r"\b[0-9a-fA-F]{32,}\b|\b(?=[\w+/]*[0-9])(?=[\w+/]*[A-Z])(?=[\w+/]*[a-z])[\w+/]{40,}={0,2}"),
)
_NAMED: Final = re.compile(
    r"""(?P<name>[\w.-]{0,40}(?:passw(?:or)?d|passwd|passphrase|pwd|secret|token|api[_-]?key|apikey|access[_-]?key|"""
    r"""session(?:[_-]?id)?|sessid|cookie|credential|private[_-]?key|signature)[\w-]{0,20}["']?\s{0,3}[=:]\s{0,3})"""
    rf"(?P<value>{_VALUE})",
    re.IGNORECASE,
)
_BEARER: Final = re.compile(
    rf"(?P<name>\bauthorization[\"']?\s{{0,3}}[=:]\s{{0,3}}[\"']?(?:\w{{1,20}}\s+)?|\b(?:bearer|basic)\s+)(?P<value>{_VALUE})",
    re.IGNORECASE,
)
_OPTION: Final = re.compile(
    rf"(?P<name>\s--?(?:password|passwd|pass|token|secret)[\s=]+)(?P<value>{_VALUE})", re.IGNORECASE
)
_URL_LOGIN: Final = re.compile(r"(?P<name>\b[a-z][a-z0-9+.-]{1,20}://)[^\s/@]{1,200}@", re.IGNORECASE)

_MAIL: Final = re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}\b")
_IPV4: Final = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)")
_IPV6: Final = re.compile(r"(?<![\w:.])(?=[0-9a-fA-F:.]*:[0-9a-fA-F:.]*:)[0-9a-fA-F:.]{3,45}(?:%\w{1,15})?(?![\w:])")
_MAC: Final = re.compile(r"(?<![\w:-])(?:[0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}(?![\w:-])")
_PLACEHOLDER: Final = re.compile(r"\b(?:ADDRESS|USER|HOST|MAIL)_\d{1,4}\b")

_KINDS: Final = {
    "user.name": "USER", "host.name": "HOST", "source.ip": "ADDRESS", "source.address": "ADDRESS",
    "destination.ip": "ADDRESS", "user.target.name": "USER", "destination.address": "ADDRESS",
}  # fmt: skip
_NOBODY_IN_PARTICULAR: Final = frozenset({
    "", "-", "root", "admin", "administrator", "guest", "system", "nobody", "www-data", "daemon", "localhost", "unknown",
    "user", "test", "postgres", "mysql", "127.0.0.1", "::1", "local service", "network service",
})  # fmt: skip


class Redaction:
    """For one question: the same value gets the same stand-in in all its texts, and only here is it known which.

    `names`: with False only secrets are taken out. Secrets never come back; `restored` puts names back.
    """

    def __init__(self, *, names: bool) -> None:
        self._names = names
        self._stand_ins: dict[str, str] = {}
        self._values: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._known: re.Pattern[str] | None = None

    def learn(self, row: Mapping[str, Any]) -> None:
        """Note the names among an event's columns, or a finding's entity, so that they are found in texts."""
        if not self._names:
            return
        for column, kind in _KINDS.items():
            value = row.get(column)
            if isinstance(value, str) and value.casefold() not in _NOBODY_IN_PARTICULAR and len(value) <= 200:
                self._stand_in(value, kind)
        self._known = None

    def applied(self, text: str) -> str:
        """The text without what must not leave."""
        text = text[:LONGEST]
        for pattern in _SECRETS:
            text = pattern.sub(SECRET, text)
        for pattern in (_BEARER, _NAMED, _OPTION):
            text = pattern.sub(rf"\g<name>{SECRET}", text)
        text = _URL_LOGIN.sub(rf"\g<name>{SECRET}@", text)
        if not self._names:
            return text
        text = _MAIL.sub(lambda match: self._stand_in(match[0], "MAIL"), text)
        text = self._known_names().sub(lambda match: self._stand_ins.get(match[0].casefold(), match[0]), text)
        text = _MAC.sub(lambda match: self._stand_in(match[0], "ADDRESS"), text)
        for pattern in (_IPV6, _IPV4):
            text = pattern.sub(self._address, text)
        return text

    def restored(self, text: str) -> str:
        """What the model wrote, with the names that its stand-ins are for."""
        return _PLACEHOLDER.sub(lambda match: self._values.get(match[0], match[0]), text)

    def _known_names(self) -> re.Pattern[str]:
        if self._known is None:
            known = sorted((value for value in self._stand_ins if len(value) > 1), key=len, reverse=True)
            words = "|".join(map(re.escape, known)) or "(?!)"
            self._known = re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE)
        return self._known

    def _address(self, match: re.Match[str]) -> str:
        """Only what is an address: times and versions look much like one."""
        found = match[0]
        value = found if found.endswith("::") else found.rstrip(".:")
        try:
            ip_address(value)
        except ValueError:
            return found
        if value.casefold() in _NOBODY_IN_PARTICULAR:
            return found
        return self._stand_in(value, "ADDRESS") + found[len(value) :]

    def _stand_in(self, value: str, kind: str) -> str:
        key = value.casefold()
        if key not in self._stand_ins:
            number = self._counts[kind] = self._counts.get(kind, 0) + 1
            self._stand_ins[key] = f"{kind}_{number}"
            self._values[f"{kind}_{number}"] = value
        return self._stand_ins[key]


def without(text: str, secrets: Iterable[str]) -> str:
    """The text with these very values taken out."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, SECRET)
    return text
