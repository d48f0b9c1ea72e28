import { Popover } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { HEALTH_KEY, useHealth, type Health, type Metrics, type State } from "@/api/system";
import { milliseconds, rate } from "@/lib/format/numbers";
import { useConnection, useSubscription } from "@/lib/realtime/react";

const WORDS: Readonly<Record<State, string>> = { ok: "well", degraded: "limited", down: "down" };

/** How Vedette itself is, in two lines; the parts on click. */
export function StatusFooter() {
  const health = useHealth();
  const metrics = useMetrics();
  const isReached = useConnection().state === "open";
  if (!isReached || !health.data) {
    return (
      <div className="status-footer status-footer--stale">
        <span className="status-footer__line">
          <span className="dot dot--off" /> {isReached ? "Reading health…" : "Not connected"}
        </span>
        {metrics && <span className="dim">last: {rate(metrics.events_per_second["10s"])}/s</span>}
      </div>
    );
  }
  const { state, parts } = health.data;
  const troubled = parts.filter((part) => part.state !== "ok");
  return (
    <div className="status-footer">
      <Popover position="top-start" shadow="md" width={340} trapFocus returnFocus>
        <Popover.Target>
          <button type="button" className="status-footer__line" data-testid="health">
            <span className={`dot dot--${state}`} />
            <span className="status-footer__text">
              {state === "ok" ? "All parts well" : `${troubled[0]?.part ?? "A part"} is ${WORDS[state]}`}
            </span>
          </button>
        </Popover.Target>
        <Popover.Dropdown className="popover">
          <Parts health={health.data} />
        </Popover.Dropdown>
      </Popover>
      <span className="dim" data-testid="rates">
        {metrics ? (
          <>
            {rate(metrics.events_per_second["10s"])}/s
            {metrics.latency_p50_ms !== null && ` · lag ${milliseconds(metrics.latency_p50_ms)}`}
          </>
        ) : (
          "…"
        )}
      </span>
    </div>
  );
}

/** The newest figures; a change of a part's state also refreshes what is known of health. */
function useMetrics(): Metrics | null {
  const [metrics, setMetrics] = useState<Metrics | null>(null);
  const queries = useQueryClient();
  useSubscription<Metrics>({ stream: "metrics" }, { onRows: (rows) => setMetrics(rows.at(-1) ?? null) });
  useSubscription({ stream: "status" }, { onRows: () => void queries.invalidateQueries({ queryKey: HEALTH_KEY }) });
  return metrics;
}

function Parts({ health }: { health: Health }) {
  return (
    <ul className="parts">
      {health.parts.map((part) => (
        <li key={part.part}>
          <span className={`dot dot--${part.state}`} />
          <b>{part.part}</b>
          <span className="dim">{WORDS[part.state]}</span>
          {part.reason && <p>{part.reason}</p>}
          {part.remedy && <p className="dim">{part.remedy}</p>}
        </li>
      ))}
    </ul>
  );
}
