// How requests are sent with node:http and node:https through an agent, whichever it is.

import http from "node:http";
import https from "node:https";
import { works } from "../works.mjs";

const isTls = (url) => url.startsWith("https:");

/** Node's agent for the protocol of `url`. */
export function nodeAgent(url, sockets) {
  const options = { keepAlive: true, maxSockets: sockets, maxFreeSockets: sockets };
  return isTls(url) ? new https.Agent(options) : new http.Agent(options);
}

export function sendThrough(agent, url, { method, headers, body } = works.get) {
  const { hostname, port, pathname: path } = new URL(url);
  const { request: begin } = isTls(url) ? https : http;
  const length = body === null ? {} : { "content-length": Buffer.byteLength(body) };
  const options = { hostname, port, path, method, headers: { ...headers, ...length }, agent };
  return {
    run: (signal) =>
      new Promise((resolve, reject) => {
        const request = begin(signal ? { ...options, signal } : options, (response) => {
          response.setEncoding("utf8");
          let text = "";
          response.on("data", (chunk) => {
            text += chunk;
          });
          response.on("end", () => resolve(text));
          response.on("error", reject);
        });
        request.on("error", reject);
        request.end(body ?? undefined);
      }),
    stop: () => agent.destroy(),
  };
}
