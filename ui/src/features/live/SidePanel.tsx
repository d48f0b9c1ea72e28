import type { EventRow } from "@/api/rows";
import { useSources } from "@/api/system";
import { Notice } from "@/components/Notice";
import type { Capture } from "@/lib/text/highlight";
import { DetailHead } from "./DetailHead";
import { EventDetail } from "./EventDetail";
import { FindingDetail } from "./FindingDetail";
import { FindingsList } from "./FindingsList";
import { SourcesList } from "./SourcesList";
import type { Findings } from "./useFindings";

interface SidePanelProps {
  eventId: string;
  known: EventRow | undefined;
  findingId: string;
  findings: Findings;
  seen: ReadonlySet<string>;
  panel: string;
  unseen: number;
  onPanel: (panel: string) => void;
  onClose: () => void;
  onPick: (capture: Capture, isIn: boolean) => void;
  onOpenEvent: (id: string) => void;
  onOpenFinding: (id: string) => void;
  onShowEvents: (query: string) => void;
  onPickSource: (id: string) => void;
}

/** Beside the stream: findings or sources, or the detail of what was opened. */
export function SidePanel(props: SidePanelProps) {
  const { eventId, findingId, findings } = props;
  if (eventId) {
    return (
      <aside className="card side detail" aria-label="Event">
        <EventDetail
          id={eventId}
          known={props.known}
          findings={findings.list}
          onClose={props.onClose}
          onPick={props.onPick}
          onOpenEvent={props.onOpenEvent}
          onOpenFinding={props.onOpenFinding}
        />
      </aside>
    );
  }
  if (findingId) {
    const finding = findings.list.find((each) => each.id === findingId);
    return (
      <aside className="card side detail" aria-label="Finding">
        {finding ? (
          <FindingDetail
            finding={finding}
            onClose={props.onClose}
            onOpenEvent={props.onOpenEvent}
            onShowEvents={props.onShowEvents}
          />
        ) : (
          <>
            <DetailHead title="Finding" onClose={props.onClose} />
            <Notice kind={findings.state === "loading" ? "loading" : "empty"}>
              {findings.state === "loading" ? "Reading the finding…" : "This finding is not among the newest ones."}
            </Notice>
          </>
        )}
      </aside>
    );
  }
  return <Overview {...props} />;
}

function Overview({ panel, unseen, findings, findingId, seen, onPanel, onOpenFinding, onPickSource }: SidePanelProps) {
  const sources = useSources();
  const isSources = panel === "sources";
  return (
    <aside className="card side" aria-label={isSources ? "Sources" : "Findings"}>
      <div className="tabs" role="tablist">
        <button type="button" role="tab" aria-selected={!isSources} onClick={() => onPanel("findings")}>
          Findings {unseen > 0 && <span className="badge">{unseen}</span>}
        </button>
        <button type="button" role="tab" aria-selected={isSources} onClick={() => onPanel("sources")}>
          Sources {sources.data && <span className="tabs__count">{sources.data.length}</span>}
        </button>
      </div>
      <div className="side__scroll" role="tabpanel">
        {isSources ? (
          <SourcesList onPick={onPickSource} />
        ) : (
          <FindingsList findings={findings} selectedId={findingId} seen={seen} onOpen={onOpenFinding} />
        )}
      </div>
    </aside>
  );
}
