/** What this device knows about its own connection. */
export interface Network {
  isOnline(): boolean;
  /** Calls `listener` when that changes; returns how to stop. */
  onChange(listener: () => void): () => void;
}

export const browserNetwork: Network = {
  isOnline: () => navigator.onLine,
  onChange(listener) {
    addEventListener("online", listener);
    addEventListener("offline", listener);
    return () => {
      removeEventListener("online", listener);
      removeEventListener("offline", listener);
    };
  },
};
