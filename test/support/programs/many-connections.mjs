// A server for very many connections: answers what it is asked after so many ms as the path says (`/20`), and `/held` all at once when
// somebody asks for `/release`. Prints its port. In a process of its own, since each connection takes a descriptor at both ends.

import http from "node:http";

/** @type {http.ServerResponse[]} */
let held = [];
const server = http.createServer({ keepAliveTimeout: 0 }, (request, response) => {
  if (request.url === "/held") held.push(response);
  else if (request.url === "/release") {
    for (const each of held) each.end("held");
    held = [];
    response.end("released");
  } else setTimeout(() => response.end("ok"), Number(request.url?.slice(1)));
});
// So many may be dialed at once; the system may have a lower limit.
server.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 }, () => {
  process.stdout.write(`${server.address().port}\n`);
});
