import http from "node:http";
import { lookup } from "./lookup.mjs";

export const name = "node:http, keep-alive Agent";

export async function start({ urls, sockets }) {
  const agent = new http.Agent({
    keepAlive: true,
    maxSockets: sockets,
    maxFreeSockets: sockets,
    lookup,
  });
  return {
    run: (index) =>
      new Promise((resolve, reject) => {
        const request = http.get(urls[index], { agent }, (response) => {
          response.setEncoding("utf8");
          let text = "";
          response.on("data", (chunk) => {
            text += chunk;
          });
          response.on("end", () => resolve(text));
        });
        request.on("error", reject);
      }),
    stop: () => agent.destroy(),
  };
}
