"""One client: what it asks for, and what is sent to it."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Protocol

import structlog
from pydantic import BaseModel, ValidationError

from vedette.live.broadcaster import EventBroadcaster
from vedette.live.limits import LiveLimits
from vedette.live.protocol import (
    CLIENT_MESSAGE,
    Error,
    Gap,
    GapReason,
    Hello,
    Pause,
    Ping,
    Pong,
    Resume,
    Subscribe,
    Subscribed,
    Unsubscribed,
    refusal,
)
from vedette.live.subscription import Subscription
from vedette.model.clock import Clock
from vedette.model.errors import QueryError, StoreError

log = structlog.get_logger(__name__)


class Socket(Protocol):
    """An accepted WebSocket."""

    @property
    def peer(self) -> str:
        """For the log."""
        ...

    async def receive(self) -> str | None:
        """The next message's text, None when the client is gone."""
        ...

    async def send(self, text: str) -> None:
        """Hand a message over; waits while the client does not read. Raises ConnectionError when it is gone."""
        ...

    async def close(self, code: int, reason: str) -> None: ...


class Connection:
    """Runs one client until it leaves or is sent away.

    A reader answers messages, a sender fetches from the subscriptions in turn; they share nothing but the outbox of
    replies, which is bounded. So a client that does not read stops only its own sender.
    """

    def __init__(
        self, socket: Socket, broadcaster: EventBroadcaster, *, version: str, clock: Clock, limits: LiveLimits
    ) -> None:
        self.messages_sent = 0
        self._socket = socket
        self._broadcaster = broadcaster
        self._version = version
        self._clock = clock
        self._limits = limits
        self._subscriptions: dict[str, Subscription] = {}
        self._outbox: deque[str] = deque()
        self._wake = asyncio.Event()
        self._allowance = float(limits.message_burst)
        self._allowed_at = clock.monotonic()
        self._goodbye: tuple[int, str] | None = None
        self._ended_gaps = 0

    @property
    def subscriptions(self) -> int:
        return len(self._subscriptions)

    @property
    def gaps_told(self) -> int:
        return self._ended_gaps + sum(each.gaps_told for each in self._subscriptions.values())

    async def run(self) -> None:
        """Serve until the end; closes the socket."""
        now = self._clock.now()
        self._reply(Hello(epoch=self._broadcaster.epoch, version=self._version, server_time=now))
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._send())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            self._drop_all()
        for outcome in outcomes:
            if isinstance(outcome, Exception) and not isinstance(outcome, ConnectionError | TimeoutError):
                log.error("live_connection_failed", peer=self._socket.peer, exc_info=outcome)
                self._goodbye = self._goodbye or (1011, "internal error")
        await self._close()

    def end(self, code: int, reason: str) -> None:
        """Send the client away after what is on its way."""
        self._goodbye = self._goodbye or (code, reason)
        self._wake.set()

    async def _close(self) -> None:
        code, reason = self._goodbye or (1000, "")
        try:
            async with asyncio.timeout(2):
                await self._socket.close(code, reason)
        except (ConnectionError, TimeoutError):
            log.debug("live_close_unanswered", peer=self._socket.peer)

    async def _read(self) -> None:
        while self._goodbye is None:
            text = await self._socket.receive()
            if text is None:
                break
            if not self._may_speak():
                self.end(1008, "too many messages")
            elif len(text) > self._limits.message_bytes:
                self.end(1009, "message too long")
            else:
                await self._answer(text)

    def _may_speak(self) -> bool:
        now, limits = self._clock.monotonic(), self._limits
        earned = (now - self._allowed_at) * limits.messages_per_second
        self._allowance = min(limits.message_burst, self._allowance + earned) - 1
        self._allowed_at = now
        return self._allowance >= 0 and len(self._outbox) < limits.outbox_messages

    async def _answer(self, text: str) -> None:
        try:
            message = CLIENT_MESSAGE.validate_json(text)
        except ValidationError as error:
            self._reply(refusal(error, identifier=_identifier(text)))
            return
        match message:
            case Subscribe():
                await self._subscribe(message)
            case Ping():
                self._reply(Pong(nonce=message.nonce, server_time=self._clock.now()))
            case _ if message.id not in self._subscriptions:
                self._reply(Error(id=message.id, title=f"There is no subscription {message.id!r}.", field="id"))
            case Pause():
                self._reply(self._subscriptions[message.id].pause())
            case Resume():
                self._reply(self._subscriptions[message.id].resume())
            case _:
                self._drop(message.id)
                self._reply(Unsubscribed(id=message.id))

    async def _subscribe(self, wish: Subscribe) -> None:
        self._drop(wish.id)
        if len(self._subscriptions) >= self._limits.max_subscriptions:
            title = f"A connection may hold {self._limits.max_subscriptions} subscriptions; end one first."
            self._reply(Error(id=wish.id, title=title))
            return
        try:
            subscription = await self._broadcaster.subscribe(
                wish.id, wish.stream, wish.query, resume=wish.resume, backlog=wish.backlog
            )
        except QueryError as error:
            self._reply(_query_error(wish.id, error))
        except StoreError as error:
            self._reply(Error(id=wish.id, title=f"The store cannot be read now: {error}"))
        else:
            self._begin(wish, subscription)

    def _begin(self, wish: Subscribe, subscription: Subscription) -> None:
        self._subscriptions[wish.id] = subscription
        subscription.channel.listen(self._wake.set)
        start, epoch = subscription.next_seq, self._broadcaster.epoch
        self._reply(Subscribed(id=wish.id, stream=wish.stream, query=wish.query, epoch=epoch, next_seq=start))
        if wish.resume is not None and not subscription.is_resumed:
            reason = GapReason.EPOCH_CHANGED
            self._reply(Gap(id=wish.id, first_seq=start, last_seq=start - 1, missed=0, reason=reason))

    def _drop(self, identifier: str) -> None:
        subscription = self._subscriptions.pop(identifier, None)
        if subscription is None:
            return
        self._ended_gaps += subscription.gaps_told
        others = {other.channel.name for other in self._subscriptions.values()}
        if subscription.channel.name not in others:
            subscription.channel.ignore(self._wake.set)

    def _drop_all(self) -> None:
        for identifier in tuple(self._subscriptions):
            self._drop(identifier)

    def _reply(self, message: BaseModel) -> None:
        self._outbox.append(message.model_dump_json(exclude_none=True))
        self._wake.set()

    async def _send(self) -> None:
        while True:
            await self._wait()
            self._wake.clear()
            is_last = self._goodbye is not None
            await self._send_replies()
            await self._send_rows()
            if is_last:
                return
            if any(subscription.has_more for subscription in self._subscriptions.values()):
                self._wake.set()

    async def _send_rows(self) -> None:
        """One message of each subscription, so that a busy one does not starve the others."""
        for identifier, subscription in tuple(self._subscriptions.items()):
            message = await subscription.next_message()
            if message is not None and self._subscriptions.get(identifier) is subscription:
                await self._send_replies()
                await self._hand_over(message)

    async def _wait(self) -> None:
        """Until there is something to send, or may be because time has passed."""
        if not any(subscription.wants_tick for subscription in self._subscriptions.values()):
            await self._wake.wait()
            return
        try:
            async with asyncio.timeout(self._limits.progress_seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _send_replies(self) -> None:
        while self._outbox:
            await self._hand_over(self._outbox.popleft())

    async def _hand_over(self, text: str) -> None:
        async with asyncio.timeout(self._limits.send_seconds):
            await self._socket.send(text)
        self.messages_sent += 1


def _identifier(text: str) -> str | None:
    """The id of a message that is wrong otherwise, so that the client can tell which."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    identifier = message.get("id") if isinstance(message, dict) else None
    return identifier if isinstance(identifier, str) and len(identifier) <= 64 else None


def _query_error(identifier: str, error: QueryError) -> Error:
    return Error(
        id=identifier,
        title=str(error),
        field="query",
        position=error.position,
        suggestion=error.suggestion,
    )
