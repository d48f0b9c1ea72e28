"""How many findings each rule has made, kept up with the store."""

from __future__ import annotations

from collections import Counter
from threading import Lock
from typing import Final

from vedette.store import EventStore

_MOST: Final = 200_000
_PAGE: Final = 2_000


class FindingCounts:
    """Thread-safe; a call blocks while it reads what is new. Beyond 200,000 findings the oldest are not told apart any
    more: one that grows again then counts twice."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._lock = Lock()
        self._seq = 0
        self._known: dict[str, None] = {}
        self._counts: Counter[str] = Counter()

    def by_rule(self) -> Counter[str]:
        with self._lock:
            while found := self._store.findings_after(self._seq, limit=_PAGE):
                for seq, finding in found:
                    self._seq = seq
                    if finding.id not in self._known:
                        self._known[finding.id] = None
                        self._counts[finding.rule_id] += 1
                while len(self._known) > _MOST:
                    del self._known[next(iter(self._known))]
            return Counter(self._counts)
