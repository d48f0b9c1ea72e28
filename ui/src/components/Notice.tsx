import "./Notice.css";
import type { ReactNode } from "react";

interface NoticeProps {
  kind: "loading" | "empty" | "failed";
  title?: string;
  children: ReactNode;
  onRetry?: () => void;
}

/** What a view says when it has nothing to show. */
export function Notice({ kind, title, children, onRetry }: NoticeProps) {
  return (
    <div className={`notice notice--${kind}`} role={kind === "failed" ? "alert" : "status"}>
      {kind === "loading" && <span className="notice__pulse" aria-hidden="true" />}
      {title && <strong>{title}</strong>}
      <p>{children}</p>
      {onRetry && (
        <button type="button" className="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}
