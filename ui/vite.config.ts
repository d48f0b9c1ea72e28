import react from "@vitejs/plugin-react";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const server = process.env.VEDETTE_URL ?? "http://127.0.0.1:8700";

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  server: { proxy: { "/api": { target: server, ws: true } } },
  build: {
    outDir: "../src/vedette/web",
    emptyOutDir: true,
    target: "es2023",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
  test: { environment: "node", include: ["src/**/*.test.{ts,tsx}"] },
});
