/**
 * What proxies and servers for tests do with sockets beyond what Node offers.
 */
import type { Socket } from "node:net";

/** Sends RST where that is possible, and closes the socket in any case. */
export function breakOff(socket: Socket): void {
  // Node 20 may spin for ever when a socket that is shutting down is reset. Only TCP can be.
  const canReset = !socket.writableEnded && !socket.connecting && socket.remoteFamily !== undefined;
  if (canReset) socket.resetAndDestroy();
  else socket.destroy();
}

/** Calls `run` when the event loop has looked for arrived bytes at least once. */
export function afterPoll(run: () => void): void {
  // The first turn may end without a poll.
  setImmediate(() => setImmediate(run));
}
