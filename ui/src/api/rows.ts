import type { components } from "./schema";

type Schemas = components["schemas"];

/** One event: dotted ECS names to JSON values, nulls left out. Times are ISO 8601 with Z. */
export type EventRow = Schemas["EventRow"] & Record<string, unknown>;

/** What detection concluded; a finding that grows comes again with the same id. */
export type Finding = Schemas["FindingRow"];

export type Evidence = Schemas["EvidenceRow"];

/** What a language model said; it decides nothing. */
export type ModelAdvice = Schemas["AdviceRow"];

export type Claim = Schemas["ClaimRow"];
