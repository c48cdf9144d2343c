import http from "node:http";

export const name = "node:http, keep-alive Agent";

export async function start(url, sockets) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: sockets });
  const { hostname, port } = new URL(url);
  return {
    run: () =>
      new Promise((resolve, reject) => {
        const request = http.get({ hostname, port, path: "/", agent }, (response) => {
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
