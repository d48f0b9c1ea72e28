import "./EventTable.css";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useImperativeHandle, useMemo, useRef, type ReactNode, type Ref } from "react";
import type { FeedItem, FeedSnapshot } from "@/lib/feed/EventFeed";
import type { Capture } from "@/lib/text/highlight";
import { count } from "@/lib/format/numbers";
import { EventLine } from "./EventLine";
import { MarkerLine } from "./MarkerLine";
import type { TableColumn } from "./columns";

export interface EventTableHandle {
  /** Selects the event `by` lines further down, or the first in view when none is selected. */
  move(by: number): void;
  toTop(): void;
  focus(): void;
}

interface EventTableProps {
  snapshot: FeedSnapshot;
  columns: readonly TableColumn[];
  isCompact: boolean;
  isPaused: boolean;
  selectedId: string;
  empty: ReactNode;
  onSelect: (id: string) => void;
  onPick: (capture: Capture, isIn: boolean) => void;
  /** The table must keep still (or may move again) for this reason. */
  onHold: (reason: "scroll" | "pointer", isHeld: boolean) => void;
  /** The person wants to see what waits. */
  onFollow: () => void;
  ref?: Ref<EventTableHandle>;
}

const NEAR_TOP = 4;

/** Events as they arrive, the newest on top. Only the lines in view exist; nothing moves while it is held. */
export function EventTable(props: EventTableProps) {
  const { snapshot, columns, isCompact, isPaused, selectedId, empty, onSelect, onPick, onHold, onFollow, ref } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const { items } = snapshot;
  const total = items.length;
  const height = isCompact ? 46 : 25;
  const headHeight = isCompact ? 0 : 32;
  const at = (index: number): FeedItem | undefined => items[total - 1 - index];

  // eslint-disable-next-line react-hooks/incompatible-library -- the virtualiser's results are used here only, never memoised
  const virtualizer = useVirtualizer({
    count: total,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    overscan: 12,
    scrollMargin: headHeight,
    scrollPaddingStart: headHeight,
    getItemKey: (index) => at(index)?.key ?? index,
  });
  useEffect(() => virtualizer.measure(), [virtualizer, height]);

  const template = useMemo(() => columns.map((column) => column.width).join(" "), [columns]);

  useImperativeHandle(ref, () => ({
    move: (by) => {
      const current = items.findLastIndex((item) => item.key === selectedId);
      let index = current < 0 ? (virtualizer.range?.startIndex ?? 0) - 1 : total - 1 - current;
      const step = Math.sign(by);
      for (let left = Math.abs(by); left > 0; left--) {
        index += step;
        while (at(index) && at(index)?.kind !== "event") index += step;
      }
      const item = at(Math.min(Math.max(index, 0), total - 1));
      if (item?.kind !== "event") return;
      onSelect(item.key);
      virtualizer.scrollToIndex(Math.min(Math.max(index, 0), total - 1), { align: "auto" });
    },
    toTop: () => scroller.current?.scrollTo({ top: 0 }),
    focus: () => scroller.current?.focus({ preventScroll: true }),
  }));

  useEffect(() => {
    const release = () => onHold("pointer", false);
    addEventListener("pointerup", release);
    addEventListener("pointercancel", release);
    return () => {
      removeEventListener("pointerup", release);
      removeEventListener("pointercancel", release);
    };
  }, [onHold]);

  const virtualItems = virtualizer.getVirtualItems();
  const top = (virtualItems[0]?.start ?? headHeight) - headHeight;
  return (
    <div className={`event-table ${isCompact ? "event-table--compact" : ""}`}>
      {snapshot.waiting > 0 && !isPaused && (
        <button type="button" className="event-table__pill" onClick={onFollow}>
          ↑ {count(snapshot.waiting)} new
        </button>
      )}
      <div
        ref={scroller}
        className="event-table__scroller"
        role="grid"
        aria-label="Events"
        aria-rowcount={total}
        aria-activedescendant={selectedId ? `event-${selectedId}` : undefined}
        tabIndex={0}
        onScroll={(event) => onHold("scroll", event.currentTarget.scrollTop > NEAR_TOP)}
        onPointerDown={() => onHold("pointer", true)}
      >
        {!isCompact && (
          <div className="event-table__head" role="row" style={{ gridTemplateColumns: template }}>
            {columns.map((column) => (
              <div key={column.id} role="columnheader" className={`event-table__th event-table__th--${column.id}`}>
                {column.title}
              </div>
            ))}
          </div>
        )}
        {total === 0 ? (
          <div className="event-table__empty" role="row">
            <div role="gridcell">{empty}</div>
          </div>
        ) : (
          <div className="event-table__body" role="rowgroup" style={{ height: virtualizer.getTotalSize() }}>
            <div role="presentation" style={{ transform: `translateY(${top}px)` }}>
              {virtualItems.map(({ index, key }) => {
                const item = at(index);
                if (!item) return null;
                if (item.kind !== "event") return <MarkerLine key={key} marker={item} />;
                return (
                  <EventLine
                    key={key}
                    row={item.row}
                    columns={columns}
                    template={template}
                    isCompact={isCompact}
                    isSelected={item.key === selectedId}
                    onSelect={onSelect}
                    onPick={onPick}
                  />
                );
              })}
            </div>
          </div>
        )}
      </div>
    </div>
  );
}
