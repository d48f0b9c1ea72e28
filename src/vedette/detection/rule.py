"""What the failure threshold looks for: all its numbers and words, none of its mechanics."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureThresholdRule:
    """At least `threshold` failed logins from one address within `window` of event time.

    Ten in five minutes: more than a forgetful person manages (three connections of three prompts each) and
    more than a job that fails once a minute, yet reached by any guessing that leads somewhere. For comparison:
    fail2ban bans at 5 in 10 minutes, Wazuh's rule 5712 speaks at 8 in 2.

    An *episode* goes on while failures of the address are at most `window` apart. A record may be up to
    `lateness` older than the one before it and still belongs to the same episode.
    `max_episodes` bounds how many addresses are watched at a time; the longest untouched is given up first.
    """

    id: str = "vedette.auth.brute-force"
    name: str = "Many failed logins from one address"
    level: str = "high"
    base_severity: int = 7
    threshold: int = 10
    window: timedelta = timedelta(minutes=5)
    lateness: timedelta = timedelta(minutes=1)
    many_users: int = 5
    many_users_severity: int = 1
    success_severity: int = 2
    max_episodes: int = 4096
    max_logins_in_progress: int = 2048
    max_event_ids: int = 25
    max_samples: int = 3
    max_names: int = 100
    max_text: int = 400
    category: str = "authentication"
    tags: tuple[str, ...] = ("attack.credential_access", "attack.t1110", "attack.t1110.001")
    spraying_tag: str = "attack.t1110.003"
    success_tags: tuple[str, ...] = ("attack.initial_access", "attack.t1078")
