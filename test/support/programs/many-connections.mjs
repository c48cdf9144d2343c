// A server for very many connections: answers what it is asked after so many ms as the path says (`/20`), and `/held` all at once when
// there are so many of them as somebody asks for (`/release-1000`). Prints its port. In a process of its own, since each connection takes a descriptor at both ends.

import http from "node:http";

/** @type {http.ServerResponse[]} */
let held = [];
let enough = Number.POSITIVE_INFINITY;
const releaseIfEnough = () => {
  if (held.length < enough) return;
  for (const each of held) each.end("held");
  held = [];
  enough = Number.POSITIVE_INFINITY;
};
const server = http.createServer({ keepAliveTimeout: 0 }, (request, response) => {
  const { url = "" } = request;
  if (url === "/held") held.push(response);
  else if (url.startsWith("/release-")) {
    enough = Number(url.slice("/release-".length));
    response.end("ok");
  } else setTimeout(() => response.end("ok"), Number(url.slice(1)));
  releaseIfEnough();
});
// So many may be dialed at once; the system may have a lower limit.
server.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 }, () => {
  process.stdout.write(`${server.address().port}\n`);
});
