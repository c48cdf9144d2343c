// The limit: a raw socket that looks for the end of the head, and counts.

import { once } from "node:events";
import net from "node:net";
import { pieces } from "./pieces.mjs";

export const name = "raw net socket";
export const ways = { download: ["download"], upload: ["upload"] };

export async function start(url) {
  const { hostname, port } = new URL(url);
  let arrived = () => {};
  const onread = {
    buffer: Buffer.allocUnsafeSlow(65_536),
    callback: (length, buffer) => arrived(length, buffer),
  };
  const socket = net.connect({ host: hostname, port: Number(port), noDelay: true, onread });
  await once(socket, "connect");
  const response = () =>
    new Promise((resolve) => {
      let left = null;
      arrived = (length, buffer) => {
        if (left === null) {
          const text = buffer.latin1Slice(0, length);
          const headEnd = text.indexOf("\r\n\r\n") + 4;
          left = Number(/content-length: (\d+)/i.exec(text)[1]) - (length - headEnd);
        } else left -= length;
        if (left === 0) resolve();
      };
    });
  return {
    async download(bytes) {
      socket.write(`GET /${bytes} HTTP/1.1\r\nhost: a\r\n\r\n`);
      await response();
      return bytes;
    },
    async upload(bytes) {
      const answered = response();
      socket.write(`PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: ${bytes}\r\n\r\n`);
      for (const piece of pieces(bytes)) {
        if (!socket.write(piece)) await once(socket, "drain");
      }
      await answered;
      return bytes;
    },
    stop: () => socket.destroy(),
  };
}
