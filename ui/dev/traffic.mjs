/** Made-up log traffic in the shape of the API's rows, for working on the console without a server. */

const pick = (list) => list[Math.floor(Math.random() * list.length)];
const USERS = ["admin", "oracle", "deploy", "ci", "root", "info", "svc-bk"];
const ADDRESSES = ["203.0.113.77", "198.51.100.24", "192.0.2.90", "2001:db8::8a1f", "10.0.4.12"];

const KINDS = [
  () => {
    const [user, ip, port] = [pick(USERS), ADDRESSES[0], 50000 + Math.floor(Math.random() * 9000)];
    return auth(4, "bastion", "sshd", `Failed password for ${user} from ${ip} port ${port} ssh2`, {
      "user.name": user, "source.ip": ip, "source.port": port, "event.action": "ssh-login", "event.outcome": "failure",
    });
  },
  () => {
    const user = pick(USERS);
    const command = pick(["/usr/bin/id", "/bin/bash", "/usr/bin/apt-get update"]);
    return auth(5, "build-2", "sudo", `${user} : command not allowed ; TTY=pts/3 ; COMMAND=${command}`, {
      "user.name": user, "event.action": "sudo-command", "event.outcome": "failure", fields: { tty: "pts/3", command },
    });
  },
  () => auth(3, "web-1", "sshd", `Connection closed by ${ADDRESSES[2]} port 40122 [preauth]`, { "source.ip": ADDRESSES[2], "source.port": 40122 }),
  () => {
    const [ip, path] = [pick(ADDRESSES), pick(["/", "/login", "/.env", "/wp-login.php", "/api/orders?id=17"])];
    const status = path === "/.env" ? 404 : 200;
    return {
      "event.severity": status === 404 ? 3 : 1, "event.category": "web", "event.action": "http-request",
      "host.name": "web-1", "process.name": "nginx", "source.ip": ip, "url.original": path,
      "http.response.status_code": status, "log.format": "nginx-combined", "log.file.path": "/var/log/nginx/access.log",
      message: `GET ${path} HTTP/1.1 ${status}`, raw: `${ip} - - [23/Nov/2026:22:04:17 +0000] "GET ${path} HTTP/1.1" ${status} 612 "-" "curl/8.5"`,
    };
  },
  () => ({ ...auth(1, "db-1", "CRON", "pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)", { "user.name": "root" }), "event.severity": 1 }),
  () => ({
    "event.severity": 1, "host.name": "cache-4", "log.format": "plain", "parse.status": "unparsed", "log.file.path": "/opt/app/out.log",
    message: pick(["<script>alert(1)</script> \u001b[31mred\u001b[0m \u202egnp.exe", "### worker 7 woke up: queue=12 late=0.31s", "Nothing to see here, move along"]),
  }),
  () => ({
    "event.severity": 2, "host.name": "cache-4", "process.name": "kernel", "log.format": "syslog-rfc3164/kernel", "parse.status": "partial",
    "log.file.path": "/var/log/kern.log", "event.category": "network", "source.ip": ADDRESSES[1],
    message: `[UFW BLOCK] IN=eth0 OUT= SRC=${ADDRESSES[1]} DST=10.0.4.12 LEN=44 TTL=243 ID=54321 PROTO=TCP SPT=41234 DPT=23`,
  }),
];

function auth(severity, host, program, message, more) {
  return {
    "event.severity": severity, "event.category": "authentication", "host.name": host, "process.name": program,
    "process.pid": 24000 + Math.floor(Math.random() * 900), "log.format": `syslog-rfc3164/${program.toLowerCase()}`,
    "log.file.path": "/var/log/auth.log", message, ...more,
  };
}

const WEIGHTS = [0, 0, 0, 0, 1, 2, 3, 3, 3, 4, 5, 6];

export function makeRow(seq, at = new Date()) {
  const { raw, ...parts } = KINDS[pick(WEIGHTS)]();
  const iso = at.toISOString().replace("Z", "000Z");
  const program = parts["process.pid"] ? `${parts["process.name"]}[${parts["process.pid"]}]` : parts["process.name"];
  const stamp = at.toUTCString().slice(8, 11) + " " + at.getUTCDate() + " " + iso.slice(11, 19);
  return {
    "event.id": `00000000000000a1-${(seq * 96).toString(16)}`,
    "vedette.seq": seq, "@timestamp": iso, "event.ingested": iso, "parse.status": "parsed",
    "vedette.source": parts["log.file.path"].split("/").at(-1), "log.offset": seq * 96,
    "event.original": raw ?? (program ? `${stamp} ${parts["host.name"]} ${program}: ${parts.message}` : parts.message),
    ...parts,
  };
}

export function makeFinding(seq, severity, rows) {
  const proof = rows.filter((row) => row["source.ip"] === ADDRESSES[0]).slice(-5);
  const now = Date.now();
  const iso = (ago) => new Date(now - ago).toISOString();
  const level = ["informational", "low", "medium", "high", "critical"][Math.ceil(severity / 2) - 1];
  const titles = { 9: "Login after password guessing", 7: "Password guessing", 5: "sudo refused repeatedly", 4: "Scan for known exploits" };
  return {
    id: `f-${severity}-${seq}`, seq, rule_id: "ssh-brute-force", rule_name: "SSH brute force", rule_level: level,
    title: titles[severity] ?? "Unusual activity", severity, severity_name: level,
    summary: `203.0.113.77 failed 4,112 times in 9 minutes on bastion, for 38 users${severity > 8 ? ", and then got in as deploy with a password" : ""}.`,
    factors: [{ reason: `rule level ${level}`, amount: severity - 1 }, { reason: "address never seen before today", amount: 2 }, { reason: "host is tagged edge", amount: -1 }],
    first_seen: iso(540000), last_seen: iso(Math.random() * 600000), found_at: iso(1000),
    entity: { "source.ip": ADDRESSES[0] }, event_ids: proof.map((row) => row["event.id"]), event_count: 4113,
    evidence: [
      ...proof.slice(0, 2).map((row) => ({ clause: "event.outcome is failure", column: "event.outcome", value: "Failed", event_id: row["event.id"], text: row["event.original"] })),
      { clause: "4,112 failures in 10 minutes by source.ip, at least 20", column: "source.ip", value: ADDRESSES[0], event_id: null, text: "" },
    ],
    category: "authentication",
    actions: ["Block the address at the firewall: `ufw deny from 203.0.113.77`", "Refuse passwords on bastion (`PasswordAuthentication no`)", "Look at what the account did after the login"],
    tags: ["T1110.001 Password guessing", "T1078 Valid accounts"], sources: ["auth.log"], status: "new", details: { users: 38 },
  };
}

/** Understands `field:value`, `severity>=n`, words and a leading minus: enough to try the filter. */
export function matcher(query) {
  const aliases = { severity: "event.severity", category: "event.category", source: "vedette.source", user: "user.name" };
  const terms = query.match(/-?(?:[\w.@]+(?:>=|:)(?:"[^"]*"|\S+)|"[^"]*"|\S+)/g) ?? [];
  const tests = terms.map((term) => {
    const isNot = term.startsWith("-");
    const [, field, operator, value] = /^-?([\w.@]+)(>=|:)(.*)$/.exec(term) ?? [];
    const text = (value ?? term.replace(/^-/, "")).replaceAll('"', "").toLowerCase();
    const test = (row) => {
      if (!field) return row["event.original"].toLowerCase().includes(text);
      const found = row[aliases[field] ?? field] ?? row.fields?.[field.replace("fields.", "")];
      return operator === ">=" ? found >= Number(text) : String(found ?? "").toLowerCase() === text;
    };
    return (row) => test(row) !== isNot;
  });
  return (row) => tests.every((test) => test(row));
}
