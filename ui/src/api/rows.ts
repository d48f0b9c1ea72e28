/** One event: dotted ECS names to JSON values, nulls left out. Times are ISO 8601 with Z. */
export interface EventRow {
  "event.id": string;
  "vedette.seq": number;
  "@timestamp": string;
  "event.severity"?: number;
  "event.category"?: string;
  "event.action"?: string;
  "event.outcome"?: string;
  "event.original"?: string;
  "host.name"?: string;
  "process.name"?: string;
  "process.pid"?: number;
  "user.name"?: string;
  "source.ip"?: string;
  "source.port"?: number;
  message?: string;
  "log.file.path"?: string;
  "log.offset"?: number;
  "log.format"?: string;
  "parse.status"?: string;
  "vedette.source"?: string;
  "vedette.marks"?: string;
  fields?: Record<string, unknown>;
  [column: string]: unknown;
}

export interface SeverityFactor {
  reason: string;
  amount: number;
}

export interface Evidence {
  clause: string;
  column: string;
  value: string;
  event_id: string | null;
  text: string;
}

/** What detection concluded; a finding that grows comes again with the same id. */
export interface Finding {
  id: string;
  seq: number;
  rule_id: string;
  rule_name: string;
  rule_level: string;
  title: string;
  summary: string;
  severity: number;
  severity_name: string;
  factors: SeverityFactor[];
  first_seen: string;
  last_seen: string;
  found_at: string;
  entity: Record<string, string>;
  evidence: Evidence[];
  event_ids: string[];
  event_count: number;
  category: string;
  actions: string[];
  tags: string[];
  sources: string[];
  status: string;
  details: Record<string, string | number>;
}
