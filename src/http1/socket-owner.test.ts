import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { test } from "node:test";
import { disown, own, type SocketOwner } from "./socket-owner.ts";

class Log implements SocketOwner {
  readonly told: string[] = [];
  socketFailed(error: Error): void {
    this.told.push(error.message);
  }
  socketEnded(): void {
    this.told.push("ended");
  }
  socketClosed(): void {
    this.told.push("closed");
  }
}

test("each owner is told of its own socket, until it is disowned", () => {
  const [one, other] = [new Log(), new Log()];
  const sockets = [one, other].map((log) => {
    const socket = new EventEmitter();
    own(socket as Socket, log);
    return socket;
  });
  for (const event of ["end", "close"]) for (const socket of sockets) socket.emit(event);
  sockets[1]?.emit("error", new Error("broken"));
  assert.deepEqual(
    [one.told, other.told],
    [
      ["ended", "closed"],
      ["ended", "closed", "broken"],
    ],
  );
});

test("a socket that is disowned has no listener left, and holds nothing of who had it", () => {
  const socket = new EventEmitter();
  const log = new Log();
  own(socket as Socket, log);
  disown(socket as Socket);
  assert.deepEqual(socket.eventNames(), []);
  const held = Object.getOwnPropertySymbols(socket).map((key) => Reflect.get(socket, key));
  assert.ok(!held.includes(log));
});
