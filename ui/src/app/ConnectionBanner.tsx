import { useConnection, useRealtime } from "@/lib/realtime/react";
import { shortSpan } from "@/lib/format/time";
import { useNow } from "@/lib/useNow";

/** Says that the page is not current, since when, and what happens next. */
export function ConnectionBanner() {
  const client = useRealtime();
  const { state, lostAt, retryAt } = useConnection();
  const now = useNow(500);
  if (state === "open" || lostAt === null) return null;
  const since = shortSpan(now - lostAt);
  return (
    <div className="banner" role="alert">
      <span className="dot dot--down" />
      {state === "offline" ? (
        <span>This device is offline, since {since}. The stream continues by itself.</span>
      ) : (
        <>
          <span>
            Connection lost {since} ago.{" "}
            {retryAt === null ? "Trying again…" : `Trying again in ${shortSpan(Math.max(0, retryAt - now))}.`}
          </span>
          <button type="button" className="link" onClick={() => client.retryNow()}>
            Try now
          </button>
        </>
      )}
      <span className="dim">What you miss is filled in.</span>
    </div>
  );
}
