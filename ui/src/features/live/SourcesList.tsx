import { useSources, type WatchedSource } from "@/api/system";
import { Notice } from "@/components/Notice";
import { milliseconds, rate } from "@/lib/format/numbers";
import { age, utcTime } from "@/lib/format/time";
import { visible } from "@/lib/text/visible";
import { useNow } from "@/lib/useNow";

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
  const facts = [
    source.format,
    source.lag_ms === null ? null : `lag ${milliseconds(source.lag_ms)}`,
    source.last_event_at === null ? "no event yet" : `last event ${ago(source.last_event_at, now)}`,
  ].filter((fact) => fact !== null);
  return (
    <li className="source-item">
      <span className={`dot dot--${toneOf(source.state)}`} aria-hidden="true" />
      <button
        type="button"
        className="source-item__name"
        title={`${source.paths.join("\n")}\nclick to see its events only`}
        onClick={() => onPick(source.id)}
      >
        {visible(source.name)}
      </button>
      <span className="source-item__rate">{rate(source.events_per_second)}/s</span>
      <span className="source-item__facts" title={source.last_event_at ? utcTime(source.last_event_at) : undefined}>
        <b className={`source-item__state source-item__state--${toneOf(source.state)}`}>{source.state}</b>
        {facts.map((fact) => ` · ${visible(fact)}`)}
      </span>
      {source.last_error && <span className="source-item__error">{visible(source.last_error)}</span>}
    </li>
  );
}

function ago(iso: string, now: number): string {
  const text = age(iso, now);
  return text === "now" ? text : `${text} ago`;
}

const TONES: Readonly<Record<string, string>> = {
  running: "ok",
  watching: "ok",
  reading: "ok",
  ok: "ok",
  waiting: "degraded",
  starting: "degraded",
  degraded: "degraded",
  failed: "down",
  down: "down",
  disabled: "off",
  stopped: "off",
};

function toneOf(state: string): string {
  return TONES[state] ?? "degraded";
}
