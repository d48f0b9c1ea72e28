import { createContext, use, useEffect, useEffectEvent, useSyncExternalStore } from "react";
import type { ConnectionStatus, RealtimeClient, Subscriber } from "./RealtimeClient";
import type { StreamName } from "./protocol";

export const RealtimeContext = createContext<RealtimeClient | null>(null);

export function useRealtime(): RealtimeClient {
  const client = use(RealtimeContext);
  if (!client) throw new Error("useRealtime needs a RealtimeContext above it");
  return client;
}

export function useConnection(): ConnectionStatus {
  const client = useRealtime();
  return useSyncExternalStore(
    (listener) => client.onStatus(listener),
    () => client.status,
  );
}

/** Subscribes while the component is mounted, anew when stream or query change. */
export function useSubscription<Row>(
  target: { stream: StreamName; query?: string; backlog?: number },
  subscriber: Subscriber<Row>,
): void {
  const client = useRealtime();
  const { stream, query = "", backlog = 0 } = target;
  const onRows = useEffectEvent((...args: Parameters<Subscriber<Row>["onRows"]>) => subscriber.onRows(...args));
  const onGap = useEffectEvent((...args: Parameters<NonNullable<Subscriber<Row>["onGap"]>>) =>
    subscriber.onGap?.(...args),
  );
  const onInterruption = useEffectEvent((...args: Parameters<NonNullable<Subscriber<Row>["onInterruption"]>>) =>
    subscriber.onInterruption?.(...args),
  );
  const onError = useEffectEvent((...args: Parameters<NonNullable<Subscriber<Row>["onError"]>>) =>
    subscriber.onError?.(...args),
  );
  const onReady = useEffectEvent(() => subscriber.onReady?.());
  useEffect(() => {
    const subscription = client.subscribe<Row>(
      { stream, query, backlog },
      {
        onRows: (...args) => onRows(...args),
        onGap: (...args) => onGap(...args),
        onInterruption: (...args) => onInterruption(...args),
        onError: (...args) => onError(...args),
        onReady: () => onReady(),
      },
    );
    return () => subscription.close();
  }, [client, stream, query, backlog]);
}
