import { useEffect } from "react";
import type { Finding } from "@/api/rows";
import { SeverityMark } from "@/components/SeverityMark";
import { clip, visible } from "@/lib/text/visible";

interface ToastsProps {
  findings: readonly Finding[];
  onOpen: (id: string) => void;
  onDismiss: (id: string) => void;
}

const SHOWN_MS = 15_000;

/** Critical findings announce themselves while the page is open. */
export function Toasts({ findings, onOpen, onDismiss }: ToastsProps) {
  return (
    <div className="toasts" role="log" aria-live="assertive" aria-label="Critical findings">
      {findings.map((finding) => (
        <Toast key={finding.id} finding={finding} onOpen={onOpen} onDismiss={onDismiss} />
      ))}
    </div>
  );
}

function Toast({ finding, onOpen, onDismiss }: Omit<ToastsProps, "findings"> & { finding: Finding }) {
  const { id } = finding;
  useEffect(() => {
    const timer = setTimeout(() => onDismiss(id), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [id, onDismiss]);
  return (
    <div className="toast">
      <SeverityMark severity={finding.severity} />
      <button type="button" className="toast__open" onClick={() => onOpen(id)}>
        <b>{visible(clip(finding.title, 120))}</b>
        <span>{visible(clip(finding.summary, 160))}</span>
      </button>
      <button type="button" className="icon-button" aria-label="Dismiss" onClick={() => onDismiss(id)}>
        ✕
      </button>
    </div>
  );
}
