"""Reads what a subscription is told, and holds it to its promise."""

from __future__ import annotations

import json
from typing import Any

from vedette.live.subscription import Subscription


class Told:
    """What one client knows of one subscription. Every number is told once, in a batch or in a gap."""

    def __init__(self, next_seq: int | None = None) -> None:
        self.next_seq = next_seq
        self.rows: list[dict[str, Any]] = []
        self.gaps: list[dict[str, Any]] = []
        self.batches = 0

    @property
    def messages(self) -> list[str]:
        return [row["message"] for row in self.rows]

    @property
    def numbers(self) -> list[int]:
        return [row["vedette.seq"] for row in self.rows]

    def hear(self, message: dict[str, Any]) -> None:
        """Take a message; fails when it repeats or skips a number."""
        if message["type"] not in ("batch", "gap"):
            return
        if message["type"] == "gap" and message["reason"] == "epoch-changed":
            self.gaps.append(message)
            self.next_seq = message["first_seq"]
            return
        assert self.next_seq is None or message["first_seq"] == self.next_seq, (self.next_seq, message)
        assert message["last_seq"] >= message["first_seq"]
        self.next_seq = message["last_seq"] + 1
        if message["type"] == "gap":
            assert message["missed"] == message["last_seq"] - message["first_seq"] + 1
            self.gaps.append(message)
            return
        self.batches += 1
        for row in message["rows"]:
            number = row.get("vedette.seq", row.get("seq"))
            assert message["first_seq"] <= number <= message["last_seq"]
        self.rows.extend(message["rows"])


async def listen(subscription: Subscription, told: Told | None = None) -> Told:
    """Everything a subscription has to tell now."""
    told = told or Told(subscription.next_seq)
    while True:
        text = await subscription.next_message()
        if text is not None:
            told.hear(json.loads(text))
        elif not subscription.has_more:
            return told
