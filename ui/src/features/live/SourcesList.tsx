import { useSources, type WatchedSource } from "@/api/system";
import { Notice } from "@/components/Notice";
import { bytes, plural, rate as perSecond } from "@/lib/format/numbers";
import { age, utcTime } from "@/lib/format/time";
import { visible } from "@/lib/text/visible";
import { useNow } from "@/lib/useNow";
import { factsOf } from "./sourceFacts";

const WORDS = { ok: "running", degraded: "limited", down: "down" } as const;

/** What is watched, and how each source fares. */
export function SourcesList({ onPick }: { onPick: (id: string) => void }) {
  const sources = useSources();
  const now = useNow(2_000);
  if (sources.isPending) return <Notice kind="loading">Reading the sources…</Notice>;
  if (!sources.data) {
    return (
      <Notice kind="failed" onRetry={() => void sources.refetch()}>
        The sources could not be read.
      </Notice>
    );
  }
  if (sources.data.length === 0) {
    return (
      <Notice kind="empty" title="Nothing is watched">
        Start Vedette with a path, for example <code>vedette serve /var/log</code>.
      </Notice>
    );
  }
  return (
    <ul className="sources-list">
      {sources.data.map((source) => (
        <SourceItem key={source.id} source={source} now={now} onPick={onPick} />
      ))}
    </ul>
  );
}

function SourceItem({ source, now, onPick }: { source: WatchedSource; now: number; onPick: (id: string) => void }) {
  const { title, paths, fileCount, rate, lagBytes, lastLineAt, format, activity } = factsOf(source);
  const facts = [
    format,
    lagBytes ? `${bytes(lagBytes)} behind` : null,
    lastLineAt === null ? "no line yet" : `last line ${ago(lastLineAt, now)}`,
  ].filter((fact) => fact !== null);
  const tone = source.enabled ? source.state : "off";
  const state = source.enabled ? (activity ?? WORDS[source.state]) : "off";
  return (
    <li className="source-item">
      <span className={`dot dot--${tone}`} aria-hidden="true" />
      <button
        type="button"
        className="source-item__name"
        title={`${paths.slice(0, 12).join("\n")}\nclick to see its events only`}
        onClick={() => onPick(source.id)}
      >
        {visible(title)}
      </button>
      <span className="source-item__rate">{rate === null ? "" : `${perSecond(rate)}/s`}</span>
      <span className="source-item__facts" title={lastLineAt ? utcTime(lastLineAt) : undefined}>
        <b className={`source-item__state source-item__state--${tone}`}>{state}</b>
        {facts.map((fact) => ` · ${visible(fact)}`)}
        {fileCount > 1 && ` · ${plural(fileCount, "file")}`}
      </span>
      {source.reason && (
        <span className="source-item__error">
          {visible(source.reason)} {visible(source.remedy)}
        </span>
      )}
    </li>
  );
}

function ago(iso: string, now: number): string {
  const text = age(iso, now);
  return text === "now" ? text : `${text} ago`;
}
