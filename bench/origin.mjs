// The origin of a benchmark, in a process of its own: a raw TCP server that answers every request with
// the same 200 bytes or so, at once or after `delayMsecs`. It costs less per request than any client, so it is
// never the limit. Asked, it says how many sockets were open at most since it was asked before.

import net from "node:net";
import { serve, settings } from "./processes.mjs";

const { delayMsecs = 0 } = settings();
const body = JSON.stringify({ hello: "world", filler: "x".repeat(60) });
const response = Buffer.from(
  "HTTP/1.1 200 OK\r\n" +
    "server: origin\r\n" +
    "date: Thu, 01 Jan 2026 00:00:00 GMT\r\n" +
    "content-type: application/json\r\n" +
    `content-length: ${body.length}\r\n` +
    "connection: keep-alive\r\n" +
    `\r\n${body}`,
);
const headEnd = Buffer.from("\r\n\r\n");
let open = 0;
let mostOpen = 0;

const server = net.createServer({ noDelay: true }, (socket) => {
  mostOpen = Math.max(mostOpen, ++open);
  // The clients here wait for each response, so a head is at most split in two, never joined by another.
  let held = null;
  const answer = () => socket.write(response);
  socket.on("data", (chunk) => {
    const bytes = held === null ? chunk : Buffer.concat([held, chunk]);
    if (bytes.indexOf(headEnd) === -1) {
      held = bytes;
      return;
    }
    held = null;
    if (delayMsecs === 0) answer();
    else setTimeout(answer, delayMsecs);
  });
  socket.on("error", () => {});
  socket.on("close", () => open--);
});

// The backlog is for clients that open many sockets at once.
server.listen(0, "127.0.0.1", 4_096, () =>
  serve({
    ready: { port: server.address().port },
    reply: () => {
      const most = mostOpen;
      mostOpen = open;
      return { mostOpen: most };
    },
  }),
);
