import { useMemo } from "react";
import type { Evidence, Finding } from "@/api/rows";
import { CopyButton } from "@/components/CopyButton";
import { LogText } from "@/components/LogText";
import { SeverityMark } from "@/components/SeverityMark";
import { evidenceCaptures } from "@/lib/captures";
import { plural } from "@/lib/format/numbers";
import { fullTime, shortSpan, utcTime } from "@/lib/format/time";
import { term } from "@/lib/query/terms";
import { visible } from "@/lib/text/visible";
import { DetailHead } from "./DetailHead";
import { ModelAdvice } from "./ModelAdvice";

interface FindingDetailProps {
  finding: Finding;
  onClose: () => void;
  onOpenEvent: (id: string) => void;
  onShowEvents: (query: string) => void;
}

/** Why a finding was made, how its severity adds up, and what to do. */
export function FindingDetail({ finding, onClose, onOpenEvent, onShowEvents }: FindingDetailProps) {
  const span = Date.parse(finding.last_seen) - Date.parse(finding.first_seen);
  return (
    <>
      <DetailHead
        title={
          <span className="finding-title">
            <SeverityMark severity={finding.severity} />
            {visible(finding.title)}
          </span>
        }
        onClose={onClose}
      />
      <div className="detail__scroll">
        <p className="finding-summary">
          <LogSentence text={finding.summary} finding={finding} />
        </p>
        <div className="tags">
          {finding.category && <span className="tag">{finding.category}</span>}
          {finding.tags.map((tag) => (
            <span key={tag} className="tag">
              {visible(tagName(tag))}
            </span>
          ))}
          <span className="tag">rule {visible(finding.rule_id)}</span>
        </div>
        <p className="dim small" title={`${utcTime(finding.first_seen)} to ${utcTime(finding.last_seen)}`}>
          {plural(finding.event_count, "event")} in {shortSpan(span)}, last {fullTime(finding.last_seen)}
        </p>
        <h3 className="section">Evidence</h3>
        <EvidenceList finding={finding} onOpenEvent={onOpenEvent} />
        <h3 className="section">Severity</h3>
        <SeverityArithmetic finding={finding} />
        {finding.actions.length > 0 && (
          <>
            <h3 className="section">What to do</h3>
            <ol className="advice">
              {finding.actions.map((action) => (
                <li key={action}>
                  <Advice text={action} />
                </li>
              ))}
            </ol>
          </>
        )}
        <ModelAdvice findingId={finding.id} onOpenEvent={onOpenEvent} />
        <div className="detail__actions">
          <button type="button" className="button button--primary" onClick={() => onShowEvents(queryFor(finding))}>
            Show its events
          </button>
          <CopyButton label="Copy link" text={() => linkTo(finding.id)} />
        </div>
      </div>
    </>
  );
}

function EvidenceList({ finding, onOpenEvent }: Pick<FindingDetailProps, "finding" | "onOpenEvent">) {
  return (
    <ul className="evidence" data-testid="evidence">
      {byClause(finding.evidence).map(([clause, parts]) => (
        <li key={clause}>
          <p className="evidence__clause">
            {visible(clause)}
            {parts.map(
              ({ text, value }) => !text && value && !clause.includes(value) && <b key={value}> {visible(value)}</b>,
            )}
          </p>
          {parts.map((part, index) => part.text && <Proof key={index} {...{ part, finding, onOpenEvent }} />)}
        </li>
      ))}
    </ul>
  );
}

function Proof(props: { part: Evidence; finding: Finding; onOpenEvent: (id: string) => void }) {
  const { part, finding, onOpenEvent } = props;
  const captures = useMemo(() => evidenceCaptures(part, finding), [part, finding]);
  const id = part.event_id;
  const text = <LogText text={part.text} captures={captures} limit={600} />;
  if (!id) return <div className="evidence__text">{text}</div>;
  return (
    <button type="button" className="evidence__text" title="Open this event" onClick={() => onOpenEvent(id)}>
      {text}
    </button>
  );
}

/** Evidence of the same clause together, in the order of its first. */
function byClause(evidence: readonly Evidence[]): [string, Evidence[]][] {
  const groups = new Map<string, Evidence[]>();
  for (const part of evidence) groups.set(part.clause, [...(groups.get(part.clause) ?? []), part]);
  return [...groups];
}

function SeverityArithmetic({ finding }: { finding: Finding }) {
  return (
    <table className="arithmetic">
      <tbody>
        {finding.factors.map((factor, index) => (
          <tr key={index}>
            <td>{visible(factor.reason)}</td>
            <td>{index === 0 ? factor.amount : signed(factor.amount)}</td>
          </tr>
        ))}
        <tr className="arithmetic__total">
          <td>total</td>
          <td>
            <SeverityMark severity={finding.severity} />
          </td>
        </tr>
      </tbody>
    </table>
  );
}

/** Prose with the finding's entity set off. */
function LogSentence({ text, finding }: { text: string; finding: Finding }) {
  const captures = Object.entries(finding.entity).map(([column, value]) => ({
    column,
    value,
    kind: "capture" as const,
  }));
  return <LogText text={text} captures={captures} limit={2_000} />;
}

/** `code` between backticks is set as code. */
function Advice({ text }: { text: string }) {
  return text.split("`").map((part, index) =>
    index % 2 === 1 ? <code key={index}>{visible(part)}</code> : visible(part),
  );
}

/** `attack.t1110.001` is what people know as T1110.001. */
function tagName(tag: string): string {
  const name = tag.replace(/^attack\./, "");
  return /^t\d/.test(name) ? name.toUpperCase() : name.replaceAll("_", " ");
}

function signed(amount: number): string {
  return amount < 0 ? `−${Math.abs(amount)}` : `+${amount}`;
}

/** The events behind it: those of its entity. */
function queryFor(finding: Finding): string {
  const terms = Object.entries(finding.entity).map(([column, value]) => term(column, value));
  if (finding.category) terms.push(term("category", finding.category));
  return terms.join(" ");
}

function linkTo(id: string): string {
  const url = new URL(location.href);
  url.searchParams.delete("event");
  url.searchParams.set("finding", id);
  return url.toString();
}
