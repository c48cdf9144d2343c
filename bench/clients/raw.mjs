// The limit: a loop over raw sockets that looks at nothing but the length of the responses, which are all as long as
// the first one.

import net from "node:net";
import tls from "node:tls";
import { works } from "../works.mjs";

export const name = "raw sockets";
/** All sockets are opened at the start. */
export const opensAtStart = true;

/** Bytes of a response, of which `buffer` holds the beginning. */
function bytesOf(buffer, length) {
  const text = buffer.latin1Slice(0, length);
  const headBytes = text.indexOf("\r\n\r\n") + 4;
  return headBytes + Number(/content-length: *(\d+)/i.exec(text)[1]);
}

function requestOf(url, { method, headers, body }) {
  const { host, pathname } = new URL(url);
  const length = body === null ? [] : [["content-length", Buffer.byteLength(body)]];
  const fields = [["host", host], ["connection", "keep-alive"], ...Object.entries(headers)];
  const lines = [...fields, ...length].map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${pathname} HTTP/1.1\r\n${lines.join("")}\r\n${body ?? ""}`;
}

export async function start(url, sockets, work = works.get) {
  const { hostname, port, protocol } = new URL(url);
  const request = requestOf(url, work);
  const isTls = protocol === "https:";
  const buffer = Buffer.allocUnsafeSlow(65_536);
  const free = [];
  let bytes = 0;
  const open = (slot) => {
    const callback = (length) => {
      if (bytes === 0) bytes = bytesOf(buffer, length);
      slot.left -= length;
      if (slot.left + bytes === 0) slot.done();
    };
    const options = {
      host: hostname,
      port: Number(port),
      noDelay: true,
      onread: { buffer, callback },
    };
    return isTls ? tls.connect(options) : net.connect(options);
  };
  for (let index = 0; index < sockets; index++) {
    const slot = { socket: null, done: null, left: 0 };
    slot.socket = open(slot);
    await new Promise((resolve) => slot.socket.once(isTls ? "secureConnect" : "connect", resolve));
    free.push(slot);
  }
  return {
    run: () =>
      new Promise((resolve) => {
        const slot = free.pop();
        slot.left = 0;
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
