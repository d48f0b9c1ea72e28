"""Names that people and machines often have: what makes a column of words a column of users or hosts."""

from __future__ import annotations

import re
from typing import Final


def words(text: str) -> frozenset[str]:
    """The words of a text, for lists that are easier to read as one."""
    return frozenset(text.split())


_ACCOUNTS: Final = words(
    "root admin administrator guest nobody anonymous system daemon operator test tester user ubuntu debian centos "
    "ec2-user pi oracle postgres mysql redis git gitlab jenkins deploy deployer backup www www-data nginx apache "
    "httpd ftp ftpuser mail postfix sync games support service svc ansible puppet nagios zabbix tomcat hadoop spark "
    "elastic kafka docker vagrant webmaster dev devops ops monitor scanner sysadmin superuser sa dba app api bot sshd "
    "syslog lp uucp news"
)
_GIVEN_NAMES: Final = words(
    "adam alan albert alex alice amy ana andrea andreas andrew anna anne anton antonio ben bob boris brian bruno carl "
    "carla carlos carol caroline charles charlie chloe chris christian christine claire clara dan dana daniel dave "
    "david diana diego dmitri dora ed edward elena eli elias elise emil emily emma eric erik erika eva eve felix "
    "fiona frank franz fred george gina grace greg hanna hannah hans harry heidi helen henry hugo ian igor ines "
    "ingrid irene ivan jack jacob jake james jan jana jane jean jeff jenny jim joe john jonas jose joseph juan judy "
    "julia julian julie karen karl kate kevin kim kurt lara laura lea lee lena leo lina linda lisa louis lucas lucia "
    "luis luke mallory marc marco maria marie mario mark marta martin mary matt max mia michael mike mila mona nadia "
    "nick nico nina noah nora oliver olivia olga oscar otto pablo pat paul paula pavel pedro peggy pete peter petra "
    "phil philip rachel ralf ray rita rob robert rosa ruth ryan sam samuel sara sarah sofia sonia sophie stefan steve "
    "susan sven sybil theo thomas tim tina tom tony trent ursula vera victor walter wendy will william yuki yves zoe"
)
SUCCESS: Final = words(
    "ok success successful succeeded accepted accept allowed allow permitted permit granted grant pass passed yes "
    "true done completed complete approved"
)
FAILURE: Final = words(
    "fail failed failure error err denied deny rejected reject refused refuse blocked block dropped drop invalid "
    "forbidden unauthorized unauthorised no false abort aborted timeout locked"
)
ACTIONS: Final = words(
    "login logout logon logoff signin signout connect disconnect upload download delete remove create update insert "
    "read write open close start stop restart reload add change modify rename move copy list get put post access view "
    "edit grant revoke lock unlock enable disable install uninstall mount unmount query execute run kill send receive "
    "search auth authenticate register reset sync backup restore import export scan block allow deny accept reject "
    "drop"
)
_HOST: Final = re.compile(
    r"(?:[a-z]+[-.])*(?:web|db|srv|server|host|node|app|api|mail|mx|ns|dns|vpn|proxy|fw|firewall|gw|gate|gateway|lb|cache|"
    r"worker|master|replica|edge|core|box|vm|pc|ws|laptop|desktop|prod|stage|build|ci|log|mon|nas|file|print|auth|bastion|"
    r"jump|router|switch|sw|ap|cam|site|dc|rack|kube|k8s|pod|cluster|master|slave|primary|backup)(?:[-_]?[a-z]*[-_]?\d+)"
    r"(?:[.-][\w-]+)*|(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+"
    r"(?:com|net|org|edu|gov|info|io|dev|cloud|app|biz|example|internal|intern|local|localdomain|lan|corp|home|test|invalid|"
    r"de|uk|fr|eu|us|ch|at|nl|be|it|es|pl|se|no|dk|fi|cz|ru|cn|jp|in|au|ca|br|kr|ie|pt|tr|ua|za|mx|ar)",
    re.IGNORECASE,
)


def is_account(text: str) -> bool:
    """A usual account, or a given name, perhaps with a letter or a number: `anna`, `anna.b`, `svc-backup`, `bob42`."""
    name = text.lower()
    if name in _ACCOUNTS or name in _GIVEN_NAMES or name.startswith(("svc-", "svc_", "adm-", "adm_", "user-", "user_")):
        return True
    first = re.match(r"[a-z]+", name)
    return first is not None and first[0] in _GIVEN_NAMES and len(name) - len(first[0]) <= 12


def is_action(text: str) -> bool:
    """`login`, `file-upload`, `user_created`."""
    return any(
        re.sub(r"(?:e?d|s)$", "", word) in ACTIONS or word in ACTIONS for word in re.split(r"[-_.:]", text.lower())
    )


def is_host(text: str) -> bool:
    """`web01`, `db-2.example.com`, `gate7`."""
    return bool(_HOST.fullmatch(text))
