import { useSources } from "@/api/system";
import { Notice } from "@/components/Notice";
import { plural } from "@/lib/format/numbers";
import { useConnection } from "@/lib/realtime/react";

interface EmptyStreamProps {
  query: string;
  isRefused: boolean;
  isReady: boolean;
  onClear: () => void;
  onShowSources: () => void;
}

/** What stands in the table while there is no event to show, and why. */
export function EmptyStream({ query, isRefused, isReady, onClear, onShowSources }: EmptyStreamProps) {
  const connection = useConnection();
  const sources = useSources();
  if (isRefused) return <Notice kind="empty">The filter above needs a correction.</Notice>;
  if (connection.state !== "open") {
    return (
      <Notice kind="loading">
        {connection.lostAt === null ? "Connecting…" : "The server cannot be reached; the stream continues when it returns."}
      </Notice>
    );
  }
  if (!isReady) return <Notice kind="loading">Opening the stream…</Notice>;
  if (query) {
    return (
      <div>
        <Notice kind="empty" title="No recent event matches">
          New ones appear here as they arrive.
        </Notice>
        <div className="centered">
          <button type="button" className="button" onClick={onClear}>
            Clear the filter
          </button>
        </div>
      </div>
    );
  }
  const watched = sources.data?.length ?? 0;
  return (
    <div>
      <Notice kind="empty" title={`Waiting for the first event${watched > 0 ? ` of ${plural(watched, "source")}` : ""}`}>
        {watched > 0
          ? "Each new line in a watched log appears here within a fraction of a second."
          : "Nothing is watched yet."}
      </Notice>
      <div className="centered">
        <button type="button" className="button" onClick={onShowSources}>
          What is watched
        </button>
      </div>
    </div>
  );
}
