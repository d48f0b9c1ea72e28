import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Redirect, Route, Switch } from "wouter";
import { ApiError } from "@/api/client";
import { LivePage } from "@/features/live/LivePage";
import { RealtimeClient } from "@/lib/realtime/RealtimeClient";
import { RealtimeContext } from "@/lib/realtime/react";
import { Shell } from "./Shell";
import { theme, variables } from "./theme";

const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? "";

export function App() {
  const [queries] = useState(makeQueries);
  const [realtime] = useState(() => new RealtimeClient({ url: liveUrl() }));
  useEffect(() => {
    realtime.start();
    return () => realtime.stop();
  }, [realtime]);
  useEffect(
    () => realtime.onStatus(() => realtime.status.state === "open" && void queries.invalidateQueries()),
    [realtime, queries],
  );
  return (
    <MantineProvider
      theme={theme}
      cssVariablesResolver={variables}
      defaultColorScheme="auto"
      getStyleNonce={() => nonce}
    >
      <QueryClientProvider client={queries}>
        <RealtimeContext value={realtime}>
          <Shell>
            <Switch>
              <Route path="/live" component={LivePage} />
              <Route>
                <Redirect to={`/live${location.search}`} replace />
              </Route>
            </Switch>
          </Shell>
        </RealtimeContext>
      </QueryClientProvider>
    </MantineProvider>
  );
}

function makeQueries(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        retry: (failures, error) => failures < 2 && !(error instanceof ApiError && error.status < 500),
        refetchOnWindowFocus: false,
      },
    },
  });
}

function liveUrl(): string {
  const url = new URL("/api/v1/live", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = "";
  url.hash = "";
  return url.toString();
}
