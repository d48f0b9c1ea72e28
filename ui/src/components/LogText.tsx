import "./LogText.css";
import { useMemo } from "react";
import { segments, type Capture } from "@/lib/text/highlight";
import { clip, visiblePieces } from "@/lib/text/visible";

interface LogTextProps {
  text: string;
  captures?: readonly Capture[];
  /** Characters shown at most. */
  limit: number;
  /** Line ends break the line, instead of being a sign only. */
  multiline?: boolean;
  /** Makes captured values buttons. */
  onPick?: ((capture: Capture, isIn: boolean) => void) | undefined;
}

const NONE: readonly Capture[] = [];

/** Text from a log, harmless: only ever text nodes, hidden characters made visible, order of letters kept. */
export function LogText({ text, captures = NONE, limit, multiline = false, onPick }: LogTextProps) {
  const parts = useMemo(() => segments(clip(text, limit), captures), [text, limit, captures]);
  return (
    <bdi className="log-text" dir="ltr">
      {parts.map((part, index) =>
        part.capture ? (
          <CaptureText key={index} text={part.text} capture={part.capture} onPick={onPick} />
        ) : (
          <Pieces key={index} text={part.text} multiline={multiline} />
        ),
      )}
      {text.length > limit && <span className="log-text__more">…</span>}
    </bdi>
  );
}

function CaptureText(props: { text: string; capture: Capture; onPick: LogTextProps["onPick"] }) {
  const { text, capture, onPick } = props;
  const className = `log-text__${capture.kind}`;
  if (!onPick || !capture.column) {
    return (
      <mark className={className}>
        <Pieces text={text} multiline={false} />
      </mark>
    );
  }
  // Not a button: a button is one box, which an ellipsis swallows whole. The keyboard's way is the field list.
  return (
    <mark
      className={`log-text__pick ${className}`}
      title={`${capture.column} · click to filter in, Alt-click to filter out`}
      onClick={(event) => {
        event.stopPropagation();
        onPick(capture, !event.altKey);
      }}
    >
      <Pieces text={text} multiline={false} />
    </mark>
  );
}

function Pieces({ text, multiline }: { text: string; multiline: boolean }) {
  return visiblePieces(text).map((piece, index) =>
    piece.control === undefined ? (
      piece.text
    ) : (
      <span key={index} className="log-text__control" title={piece.control}>
        {piece.text}
        {multiline && piece.control === "U+000A" ? "\n" : null}
      </span>
    ),
  );
}
