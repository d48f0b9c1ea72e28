import type { Marker } from "@/lib/feed/EventFeed";
import { count, plural } from "@/lib/format/numbers";
import { shortSpan } from "@/lib/format/time";

const REASONS: Readonly<Record<string, string>> = {
  "too-slow": "this page could not keep up",
  "too-old": "away for longer than the server can replay",
  deleted: "already removed by retention",
  unavailable: "the store could not be read",
};

/** What happened to the stream between the lines above and below. */
export function MarkerLine({ marker }: { marker: Marker }) {
  return (
    <div className={`event-table__marker event-table__marker--${marker.kind}`} role="row">
      <span role="gridcell">{sentence(marker)}</span>
    </div>
  );
}

export function sentence(marker: Marker): string {
  switch (marker.kind) {
    case "filled": {
      const lost = `connection was lost for ${shortSpan(marker.lostForMs)}`;
      return `${lost}, ${marker.filled > 0 ? `${plural(marker.filled, "event")} filled in` : "nothing was missed"}`;
    }
    case "missed":
      if (marker.reason === "epoch-changed") return "the server began a new store; numbering starts again";
      return `missed up to ${plural(marker.missed, "event")}: ${REASONS[marker.reason] ?? marker.reason}`;
    case "overflow":
      return `${count(marker.missed)} more arrived while the table was held; they are stored, only not kept here`;
  }
}
