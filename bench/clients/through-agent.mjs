// How requests are sent with node:http through an agent, whichever it is.

import http from "node:http";

export function sendThrough(agent, url) {
  const { hostname, port } = new URL(url);
  return {
    run: (signal) =>
      new Promise((resolve, reject) => {
        const request = http.get({ hostname, port, path: "/", agent, signal }, (response) => {
          response.setEncoding("utf8");
          let text = "";
          response.on("data", (chunk) => {
            text += chunk;
          });
          response.on("end", () => resolve(text));
          response.on("error", reject);
        });
        request.on("error", reject);
      }),
    stop: () => agent.destroy(),
  };
}
