// The origin of a benchmark, in a process of its own: a raw TCP server that answers every request with
// the same 200 bytes or so. It costs less per request than any client, so it is never the limit.

import net from "node:net";
import { serve } from "./processes.mjs";

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

const server = net.createServer({ noDelay: true }, (socket) => {
  // The clients here wait for each response, so a head is at most split in two, never joined by another.
  let held = null;
  socket.on("data", (chunk) => {
    const bytes = held === null ? chunk : Buffer.concat([held, chunk]);
    if (bytes.indexOf(headEnd) === -1) {
      held = bytes;
      return;
    }
    held = null;
    socket.write(response);
  });
  socket.on("error", () => {});
});

server.listen(0, "127.0.0.1", () => serve({ ready: { port: server.address().port } }));
