import type { RateMeter } from "@/lib/feed/RateMeter";
import { useNow } from "@/lib/useNow";
import { plural, rate } from "@/lib/format/numbers";

const HEIGHT = 20;
const STEP = 4;

/** The last minute, a bar a second, stacked by severity. */
export function RateStrip({ meter }: { meter: RateMeter }) {
  const now = useNow(1_000);
  const seconds = meter.minute(now);
  const totals = seconds.map(({ bands }) => bands.reduce((sum, value) => sum + value, 0));
  const most = Math.max(1, ...totals);
  const events = totals.reduce((sum, value) => sum + value, 0);
  return (
    <svg
      className="rate-strip"
      viewBox={`0 0 ${60 * STEP} ${HEIGHT}`}
      role="img"
      aria-label={`${plural(events, "event")} in the last minute, at most ${most} a second`}
    >
      <title>{`${plural(events, "event")} in the last minute, at most ${most} a second`}</title>
      {seconds.map(({ bands }, index) => {
        let top = HEIGHT;
        return bands.map((value, band) => {
          if (value === 0) return null;
          const height = Math.max(1, (value / most) * HEIGHT);
          top -= height;
          return (
            <rect
              key={`${index}-${band}`}
              className={`rate-strip__band severity-${band + 1}`}
              x={index * STEP}
              y={Math.max(0, top)}
              width={STEP - 1}
              height={height}
              fill="currentColor"
            />
          );
        });
      })}
      <line x1="0" x2={60 * STEP} y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} stroke="var(--line)" />
    </svg>
  );
}

/** `212 events/s match` */
export function MatchRate({ meter, isLive }: { meter: RateMeter; isLive: boolean }) {
  const now = useNow(500);
  return <span data-testid="match-rate">{isLive ? `${rate(meter.rate(now))} events/s match` : "not receiving"}</span>;
}
