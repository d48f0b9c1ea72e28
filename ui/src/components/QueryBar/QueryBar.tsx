import "./QueryBar.css";
import { useId, useMemo, useRef, useState, type KeyboardEvent, type ReactNode, type Ref } from "react";
import { tokenize } from "@/lib/query/tokens";
import { completions } from "@/lib/query/completions";

export interface QueryProblem {
  title: string;
  /** 0-based index into the query. */
  position?: number | null | undefined;
  /** What was probably meant. */
  suggestion?: string | null | undefined;
}

interface QueryBarProps {
  query: string;
  placeholder: string;
  problem: QueryProblem | null;
  /** At the right end, for instance how much matches. */
  aside: ReactNode;
  onApply: (query: string) => void;
  ref?: Ref<HTMLInputElement>;
}

/** One line for the query grammar: coloured while typed, applied with Enter, its mistake shown where it is. */
export function QueryBar({ query, placeholder, problem, aside, onApply, ref }: QueryBarProps) {
  const [edit, setEdit] = useState({ base: query, draft: query });
  const [isOpen, setOpen] = useState(false);
  const [chosen, setChosen] = useState(-1);
  const [caret, setCaret] = useState(0);
  const colours = useRef<HTMLDivElement>(null);
  const listId = useId();
  // The query changed from elsewhere (a filter was clicked, the address changed): what was being typed gives way.
  const draft = edit.base === query ? edit.draft : query;
  const setDraft = (text: string) => setEdit({ base: query, draft: text });
  const offers = useMemo(() => (isOpen ? completions(draft, caret) : []), [isOpen, draft, caret]);

  const apply = (text: string) => {
    setOpen(false);
    setChosen(-1);
    setEdit({ base: text.trim(), draft: text.trim() });
    onApply(text.trim());
  };
  const accept = (index: number) => {
    const offer = offers[index];
    if (!offer) return;
    const text = draft.slice(0, offer.from) + offer.text + draft.slice(offer.to);
    setDraft(text);
    setCaret(offer.from + offer.text.length);
    setChosen(-1);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key === "Enter") {
      event.preventDefault();
      if (chosen >= 0) accept(chosen);
      else apply(draft);
    } else if (event.key === "Escape") {
      event.stopPropagation();
      if (offers.length > 0) setOpen(false);
      else if (draft !== query) setDraft(query);
      else event.currentTarget.blur();
    } else if (event.key === "Tab" && offers.length > 0 && !event.shiftKey) {
      event.preventDefault();
      accept(Math.max(chosen, 0));
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && offers.length > 0) {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      setChosen((chosen + step + offers.length) % offers.length);
    }
  };

  return (
    <div className={`query-bar ${problem ? "query-bar--wrong" : ""}`} role="search">
      <div className="query-bar__box">
        <div className="query-bar__line">
          <div className="query-bar__colours" ref={colours} aria-hidden="true">
            {tokenize(draft).map((token) => (
              <span key={token.from} className={`query-token query-token--${token.kind}`}>
                {token.text}
              </span>
            ))}
          </div>
          <input
            ref={ref}
            className="query-bar__input"
            value={draft}
            placeholder={placeholder}
            aria-label="Filter"
            aria-invalid={problem !== null}
            aria-expanded={offers.length > 0}
            aria-controls={listId}
            aria-activedescendant={chosen >= 0 ? `${listId}-${chosen}` : undefined}
            role="combobox"
            autoComplete="off"
            autoCapitalize="off"
            autoCorrect="off"
            spellCheck={false}
            maxLength={4096}
            onChange={(event) => {
              setDraft(event.target.value);
              setCaret(event.target.selectionStart ?? event.target.value.length);
              setOpen(true);
              setChosen(-1);
            }}
            onKeyDown={onKeyDown}
            onBlur={() => setOpen(false)}
            onScroll={(event) => {
              if (colours.current) colours.current.scrollLeft = event.currentTarget.scrollLeft;
            }}
          />
        </div>
        {draft.trim() !== query ? (
          <button type="button" className="query-bar__hint" onClick={() => apply(draft)}>
            Enter ↵
          </button>
        ) : (
          <span className="query-bar__aside">{aside}</span>
        )}
        {draft && (
          <button type="button" className="query-bar__clear" aria-label="Clear the filter" onClick={() => apply("")}>
            ✕
          </button>
        )}
      </div>
      {offers.length > 0 && (
        <ul className="query-bar__offers" id={listId} role="listbox">
          {offers.map((offer, index) => (
            <li
              key={offer.text}
              id={`${listId}-${index}`}
              role="option"
              aria-selected={index === chosen}
              onPointerDown={(event) => {
                event.preventDefault();
                accept(index);
              }}
            >
              <span className="mono">{offer.text}</span>
              <span className="dim">{offer.meaning}</span>
            </li>
          ))}
        </ul>
      )}
      {problem && <Problem query={query} problem={problem} onApply={apply} />}
    </div>
  );
}

function Problem({ query, problem, onApply }: { query: string; problem: QueryProblem; onApply: (query: string) => void }) {
  const { title, position, suggestion } = problem;
  const hasPlace = typeof position === "number" && position <= query.length;
  return (
    <div className="query-bar__problem" role="alert">
      {hasPlace && (
        <pre className="query-bar__place">
          {query}
          {"\n"}
          {" ".repeat(position)}
          <b>^</b>
        </pre>
      )}
      <span>{title}</span>
      {suggestion && <Suggestion suggestion={suggestion} onApply={onApply} />}
    </div>
  );
}

function Suggestion({ suggestion, onApply }: { suggestion: string; onApply: (query: string) => void }) {
  return (
    <button type="button" className="query-bar__suggestion" onClick={() => onApply(suggestion)}>
      Try <span className="mono">{suggestion}</span>
    </button>
  );
}
