// The other side of large bodies, in a process of its own: `GET /N` is answered with N bytes, and whatever is sent
// otherwise is read and counted.

import http from "node:http";
import { serve } from "./processes.mjs";

const piece = Buffer.alloc(262_144, "0123456789abcdef");

const server = http.createServer({ keepAliveTimeout: 0 }, (request, response) => {
  if (request.method === "GET") send(response, Number(request.url.slice(1)));
  else {
    let bytes = 0;
    request.on("data", (chunk) => {
      bytes += chunk.length;
    });
    request.on("end", () => response.end(String(bytes)));
  }
});

function send(response, bytes) {
  response.setHeader("content-length", bytes);
  let left = bytes;
  const more = () => {
    while (left > 0) {
      const next = left < piece.length ? piece.subarray(0, left) : piece;
      left -= next.length;
      if (!response.write(next)) {
        response.once("drain", more);
        return;
      }
    }
    response.end();
  };
  more();
}

server.listen(0, "127.0.0.1", () =>
  serve({ ready: { port: server.address().port }, reply: () => null }),
);
