import { useQuery } from "@tanstack/react-query";
import { get } from "@/api/client";
import type { Claim, Finding } from "@/api/rows";
import { fullTime, utcTime } from "@/lib/format/time";
import { visible } from "@/lib/text/visible";

interface ModelAdviceProps {
  findingId: string;
  onOpenEvent: (id: string) => void;
}

/** What a language model said about a finding, with the events that each claim rests on; nothing where none was asked. */
export function ModelAdvice({ findingId, onOpenEvent }: ModelAdviceProps) {
  const stored = useQuery({
    queryKey: ["finding", findingId],
    queryFn: ({ signal }) => get<Finding>(`findings/${encodeURIComponent(findingId)}`, {}, signal),
    refetchInterval: ({ state }) => (state.data?.model_advice ? false : 5_000),
  });
  const advice = stored.data?.model_advice;
  if (!advice) return null;
  const parts: [string, readonly Claim[]][] = [
    ["", advice.explanation],
    ["Possible causes", advice.causes],
    ["Next steps", advice.next_steps],
  ];
  return (
    <section data-testid="model-advice">
      <h3 className="section">What a model says</h3>
      <p className="dim small" title={utcTime(advice.asked_at)}>
        {visible(advice.model)}, {fullTime(advice.asked_at)}
        {advice.about !== findingId && ", about another finding of this kind"}. Not part of the verdict; it may be wrong.
      </p>
      {parts.map(
        ([title, claims]) =>
          claims.length > 0 && (
            <div key={title}>
              {title && <p className="evidence__clause">{title}</p>}
              <ul className="advice">
                {claims.map((claim, index) => (
                  <Said key={index} claim={claim} onOpenEvent={onOpenEvent} />
                ))}
              </ul>
            </div>
          ),
      )}
    </section>
  );
}

function Said({ claim, onOpenEvent }: { claim: Claim; onOpenEvent: (id: string) => void }) {
  const [first] = claim.event_ids;
  return (
    <li>
      {visible(claim.text)}
      {first && (
        <button type="button" className="evidence__text" title="Open this event" onClick={() => onOpenEvent(first)}>
          {claim.quote ? visible(claim.quote) : "its event"}
        </button>
      )}
    </li>
  );
}
