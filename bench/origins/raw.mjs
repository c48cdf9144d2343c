// What sockets cost by themselves: a socket for each of `urls`, which are all one server, or `sockets` for one.

import net from "node:net";

export const name = "raw net loop";

export async function start({ urls, sockets }) {
  const { hostname, port } = new URL(urls[0]);
  const request = `GET / HTTP/1.1\r\nhost: ${hostname}:${port}\r\nconnection: keep-alive\r\n\r\n`;
  const buffer = Buffer.allocUnsafeSlow(65_536);
  const slots = [];
  const free = [];
  const open = (index) =>
    new Promise((resolve, reject) => {
      const slot = { socket: null, done: null };
      slot.socket = net.connect({
        host: "127.0.0.1",
        port: Number(port),
        noDelay: true,
        onread: { buffer, callback: () => slot.done() },
      });
      slot.socket.once("connect", () => resolve(slot));
      slot.socket.once("error", reject);
      slots[index] = slot;
    });
  const send = (slot) =>
    new Promise((resolve) => {
      slot.done = resolve;
      slot.socket.write(request, "latin1");
    });
  const isOne = urls.length === 1;
  return {
    run: async (index) => {
      if (!isOne) {
        await send(slots[index] ?? (await open(index)));
        return;
      }
      const slot = free.pop() ?? (await open(slots.length));
      await send(slot);
      free.push(slot);
    },
    stop: () => {
      for (const slot of slots) slot.socket.destroy();
    },
  };
}
