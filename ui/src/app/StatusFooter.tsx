import { Popover } from "@mantine/core";
import { useHealth, useStats, type Health, type State } from "@/api/system";
import { milliseconds, rate } from "@/lib/format/numbers";
import { useConnection } from "@/lib/realtime/react";

const WORDS: Readonly<Record<State, string>> = { ok: "well", degraded: "limited", down: "down" };

/** How Vedette itself is, in two lines; the parts on click. */
export function StatusFooter() {
  const health = useHealth();
  const stats = useStats();
  const isReached = useConnection().state === "open";
  if (!isReached || !health.data) {
    return (
      <div className="status-footer status-footer--stale">
        <span className="status-footer__line">
          <span className="dot dot--off" /> {isReached ? "Reading health…" : "Not connected"}
        </span>
        {stats.data && <span className="dim">last: {rate(stats.data.events_per_second)}/s</span>}
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
            {state === "ok" ? "All parts well" : `${troubled[0]?.part ?? "A part"} is ${WORDS[state]}`}
          </button>
        </Popover.Target>
        <Popover.Dropdown className="popover">
          <Parts health={health.data} />
        </Popover.Dropdown>
      </Popover>
      <span className="dim" data-testid="rates">
        {stats.data ? (
          <>
            {rate(stats.data.events_per_second)}/s
            {stats.data.lag_ms !== null && ` · lag ${milliseconds(stats.data.lag_ms)}`}
          </>
        ) : (
          "…"
        )}
      </span>
    </div>
  );
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
