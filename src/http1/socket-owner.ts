/**
 * What happens to an open socket, told to whose it is. All sockets have the same listeners, so that idle ones, of
 * which there may be thousands, hold none of their own.
 */
import type { Socket } from "node:net";

/** Told of the end of its socket. */
export interface SocketOwner {
  /** The socket broke; `socketClosed` follows. */
  socketFailed(error: Error): void;
  /** The peer sends no more. */
  socketEnded(): void;
  socketClosed(): void;
}

const owner = Symbol("keepline owner");

interface OwnedSocket extends Socket {
  [owner]?: SocketOwner | undefined;
}

/** `socket` is `whose` from now on. */
export function own(socket: Socket, whose: SocketOwner): void {
  (socket as OwnedSocket)[owner] = whose;
  socket.on("error", onError).on("end", onEnd).on("close", onClose);
}

/** `socket` is the program's: what happens to it is told to nobody here. */
export function disown(socket: Socket): void {
  (socket as OwnedSocket)[owner] = undefined;
  socket.off("error", onError).off("end", onEnd).off("close", onClose);
}

function onError(this: OwnedSocket, error: Error): void {
  this[owner]?.socketFailed(error);
}

function onEnd(this: OwnedSocket): void {
  this[owner]?.socketEnded();
}

function onClose(this: OwnedSocket): void {
  this[owner]?.socketClosed();
}
