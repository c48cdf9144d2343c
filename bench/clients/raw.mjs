// The limit: a loop over raw sockets that looks at nothing but the length of the response.

import net from "node:net";

export const name = "raw net loop";

export async function start(url, sockets) {
  const { hostname, port } = new URL(url);
  const request = `GET / HTTP/1.1\r\nhost: ${hostname}:${port}\r\nconnection: keep-alive\r\n\r\n`;
  const buffer = Buffer.allocUnsafeSlow(65_536);
  const free = [];
  for (let index = 0; index < sockets; index++) {
    const slot = { socket: null, done: null };
    slot.socket = net.connect({
      host: hostname,
      port: Number(port),
      noDelay: true,
      onread: { buffer, callback: () => slot.done() },
    });
    await new Promise((resolve) => slot.socket.once("connect", resolve));
    free.push(slot);
  }
  return {
    run: () =>
      new Promise((resolve) => {
        const slot = free.pop();
        slot.done = () => {
          free.push(slot);
          resolve();
        };
        slot.socket.write(request, "latin1");
      }),
    stop: () => {
      for (const slot of free) slot.socket.destroy();
    },
  };
}
