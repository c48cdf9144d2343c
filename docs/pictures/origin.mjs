// The origin of the pictures, in a process of its own. It answers every request after a while, which may vary, and keeps
// those that come while it hangs until it does not any more. Asked, it says how many requests reached it.

import http from "node:http";
import { serve, settings } from "../../bench/processes.mjs";
import { randomFrom } from "./load.mjs";

const { leastMsecs, mostMsecs = leastMsecs } = settings();
const random = randomFrom(1);
let received = 0;
let hanging = null;

const server = http.createServer((request, response) => {
  received++;
  request.resume();
  const answer = () =>
    response.end('{"hello":"world"}', () => {
      // Whoever gave up has closed the connection.
    });
  if (hanging !== null) hanging.push(answer);
  else setTimeout(answer, leastMsecs + random() * (mostMsecs - leastMsecs));
});
server.keepAliveTimeout = 60_000;

const replies = {
  hang: () => {
    hanging = [];
  },
  recover: () => {
    for (const answer of hanging ?? []) answer();
    hanging = null;
  },
  received: () => {
    const count = received;
    received = 0;
    return count;
  },
};

server.listen(0, "127.0.0.1", 4_096, () =>
  serve({
    ready: { origin: `http://127.0.0.1:${server.address().port}` },
    reply: (question) => replies[question]() ?? null,
  }),
);
