import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// `vite` alone serves the page as it is written, and asks the stack that `wharf up` runs for everything else.
const stack = "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react()],
  server: {
    proxy: {
      "/api": stack,
      "/ws": { target: stack, ws: true },
    },
  },
});
