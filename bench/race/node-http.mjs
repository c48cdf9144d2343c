// How requests are sent with node:http through an agent, whichever it is.

import http from "node:http";
import https from "node:https";

/** How long each connection was idle when a request took it, in ms. */
const idleAges = [];

export function sendThrough(agent, origin) {
  const { request } = origin.startsWith("https:") ? https : http;
  const freeSince = new WeakMap();
  agent.on("free", (socket) => freeSince.set(socket, performance.now()));
  return {
    send: ({ id, method, body }) =>
      new Promise((resolve, reject) => {
        const text = body === null ? "" : JSON.stringify(body);
        const headers = { "x-id": id };
        if (body !== null) {
          headers["content-type"] = "application/json";
          headers["content-length"] = text.length;
        }
        const outgoing = request(`${origin}/`, { agent, method, headers }, (response) => {
          response.resume();
          response.on("end", resolve);
          response.on("error", reject);
        });
        outgoing.on("socket", (socket) => {
          const since = freeSince.get(socket);
          if (since !== undefined) idleAges.push(performance.now() - since);
        });
        outgoing.on("error", reject);
        outgoing.end(text);
      }),
    stop: () => agent.destroy(),
  };
}

export const facts = () => ({ resent: null, idleAges });
