/**
 * What services that are called by SDKs read and write: JSON, and server-sent events as language models stream them.
 */
import type http from "node:http";

/** An event: its name, if it has one, and its content, which is JSON unless it is text already. */
export interface ServerEvent {
  readonly event?: string;
  readonly data: unknown;
}

/** Begins a stream of events in `response`. */
export function beginEvents(response: http.ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.flushHeaders();
}

/** Writes `events` in their wire format. */
export function writeEvents(response: http.ServerResponse, events: readonly ServerEvent[]): void {
  for (const { event, data } of events) {
    const name = event === undefined ? "" : `event: ${event}\n`;
    response.write(`${name}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`);
  }
}

/** Answers with JSON. */
export function answerJson(response: http.ServerResponse, value: unknown): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

/** The content of a request, read to its end. */
export async function contentOf(request: http.IncomingMessage): Promise<unknown> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return JSON.parse(Buffer.concat(pieces).toString());
}
