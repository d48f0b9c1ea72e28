import { SeverityMark } from "@/components/SeverityMark";
import { Notice } from "@/components/Notice";
import { age, utcTime } from "@/lib/format/time";
import { clip, visible } from "@/lib/text/visible";
import { useNow } from "@/lib/useNow";
import type { Findings } from "./useFindings";

interface FindingsListProps {
  findings: Findings;
  selectedId: string;
  seen: ReadonlySet<string>;
  onOpen: (id: string) => void;
}

/** The newest findings, a few lines each. */
export function FindingsList({ findings, selectedId, seen, onOpen }: FindingsListProps) {
  const now = useNow(5_000);
  if (findings.state === "loading") return <Notice kind="loading">Reading findings…</Notice>;
  if (findings.state === "failed") {
    return (
      <Notice kind="failed" onRetry={findings.reload}>
        The findings could not be read.
      </Notice>
    );
  }
  if (findings.list.length === 0) {
    return (
      <Notice kind="empty" title="No findings">
        Nothing has looked dangerous so far. A finding appears here the moment it is made.
      </Notice>
    );
  }
  return (
    <ul className="findings-list">
      {findings.list.map((finding) => (
        <li key={finding.id}>
          <button
            type="button"
            className="finding-item"
            aria-current={finding.id === selectedId}
            data-unseen={!seen.has(finding.id)}
            onClick={() => onOpen(finding.id)}
          >
            <SeverityMark severity={finding.severity} />
            <span className="finding-item__title">{visible(clip(finding.title, 160))}</span>
            <time className="finding-item__age" dateTime={finding.last_seen} title={utcTime(finding.last_seen)}>
              {age(finding.last_seen, now)}
            </time>
            <span className="finding-item__summary">{visible(clip(finding.summary, 240))}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
