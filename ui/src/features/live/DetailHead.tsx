import type { ReactNode } from "react";

interface DetailHeadProps {
  title: ReactNode;
  hint?: string;
  subtitle?: string;
  onClose: () => void;
}

/** Top of a detail panel, with the way out. */
export function DetailHead({ title, hint, subtitle, onClose }: DetailHeadProps) {
  return (
    <header className="detail__head">
      <div title={hint}>
        <h2>{title}</h2>
        {subtitle && <p>{subtitle}</p>}
      </div>
      <button type="button" className="icon-button" aria-label="Close" title="Close (Esc)" onClick={onClose}>
        ✕
      </button>
    </header>
  );
}
