// CPU time of small requests over reused sockets, and of answers that are less small.

import { loadScenario, ratioTo } from "../load.mjs";
import { target } from "../targets.mjs";
import { runnable } from "../versions.mjs";

/** What most programs choose between; the rest is built on these, and measured with the small GET. */
const closest = ["raw", "keepline", "undici-pool", "undici-agent", "node-http", "fetch"];

const all = runnable([
  "raw",
  "keepline",
  "undici-dispatch",
  "undici-stream",
  "undici-pool",
  "undici-agent",
  "undici-fetch",
  "undici8-dispatch",
  "undici8-pool",
  "undici8-agent",
  "undici8-fetch",
  "node-http",
  "agentkeepalive",
  "fetch",
  "ofetch",
  "ky",
  "node-fetch",
  "axios",
  "got",
]);

export const get = loadScenario({
  title: "small GET",
  summary: "CPU time of a small GET over reused sockets, all clients",
  example: ["npm run bench -- get --rounds 9 --only keepline,undici-agent", ""],
  usual: { clients: all },
  targets: (found) => [
    ...target("small GET, to raw sockets", ratioTo(found, "raw"), 1.45),
    ...target("small GET, to undici request", ratioTo(found, "undici-agent"), 0.42),
    ...target("small GET, to undici Pool.request", ratioTo(found, "undici-pool"), 0.62),
    ...target("small GET, to node:http", ratioTo(found, "node-http"), 0.33),
  ],
});

export const https = loadScenario({
  title: "small GET over TLS",
  summary: "the same over TLS",
  example: ["npm run bench -- https", "about two minutes"],
  usual: { clients: closest },
  isTls: true,
  targets: (found) => [
    ...target("small GET over TLS, to raw sockets", ratioTo(found, "raw"), 1.45),
    ...target("small GET over TLS, to undici request", ratioTo(found, "undici-agent"), 0.52),
  ],
});

export const post = loadScenario({
  title: "POST of 1 KiB of JSON",
  summary: "CPU time of a POST with 1 KiB of JSON",
  example: ["npm run bench -- post", "about two minutes"],
  usual: { clients: closest },
  work: "post",
});

export const headers = loadScenario({
  title: "GET answered with 16 fields",
  summary: "CPU time of a GET whose answer has 16 header fields",
  example: ["npm run bench -- headers", "about two minutes"],
  usual: { clients: closest },
  work: "headers",
});

export const body = loadScenario({
  title: "GET answered with 64 KiB",
  summary: "CPU time of a GET whose answer has 64 KiB of text",
  example: ["npm run bench -- body", "about two minutes"],
  usual: { clients: closest, requests: 3_000 },
  work: "body",
});

export const sockets = loadScenario({
  title: "small GET over 500 sockets",
  summary: "CPU time of a small GET over 500 sockets, all in use",
  example: ["npm run bench -- sockets", "about two minutes"],
  usual: { clients: closest, sockets: 500 },
});
