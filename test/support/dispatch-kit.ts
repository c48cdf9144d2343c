/**
 * Handlers of both kinds that note what they are told, and the versions of undici that run on this Node.js.
 */
import assert from "node:assert/strict";
import type { Duplex } from "node:stream";
import type {
  ClientDispatcher,
  DispatchController,
  DispatchHandler,
  DispatchOptions,
} from "../../src/surfaces/undici/index.ts";

/** The two kinds of handlers. */
export type HandlerKind = "legacy" | "modern";
export const kinds: readonly HandlerKind[] = ["legacy", "modern"];

/** What a handler of either kind does, and was told. */
export interface Recorder {
  readonly handler: DispatchHandler;
  /** Names of the callbacks in the words of this list, in order. */
  readonly events: string[];
  readonly heads: { statusCode: number; headers: Record<string, unknown>; statusText: string }[];
  readonly chunks: Buffer[];
  readonly text: string;
  readonly trailers: Record<string, unknown> | null;
  readonly error: (Error & { code?: string }) | null;
  readonly socket: Duplex | null;
  readonly controller: DispatchController | null;
  /** When the last callback was called. */
  readonly over: Promise<void>;
  /** When the final head came. */
  readonly headed: Promise<void>;
  abort(reason?: Error): void;
  resume(): void;
}

/** What a recorder does when it is told. True pauses. */
export interface Behaviour {
  start?(recorder: Recorder): void;
  head?(recorder: Recorder): unknown;
  data?(recorder: Recorder): unknown;
  end?(recorder: Recorder): void;
  error?(recorder: Recorder): void;
  upgrade?(recorder: Recorder): void;
  bodySent?(chunk: Uint8Array): void;
  requestSent?(): void;
}

/** A handler of `kind` that notes what it is told. */
export function recorder(kind: HandlerKind, behaviour: Behaviour = {}): Recorder {
  let finish = (): void => {};
  let head = (): void => {};
  const state = {
    events: [] as string[],
    heads: [] as Recorder["heads"],
    chunks: [] as Buffer[],
    trailers: null as Record<string, unknown> | null,
    error: null as Error | null,
    socket: null as Duplex | null,
    controller: null as DispatchController | null,
    over: new Promise<void>((resolve) => {
      finish = resolve;
    }),
    headed: new Promise<void>((resolve) => {
      head = resolve;
    }),
    handler: {} as DispatchHandler,
    abort: (_reason?: Error): void => assert.fail("not started"),
    resume: (): void => assert.fail("no head yet"),
    get text() {
      return Buffer.concat(state.chunks).toString();
    },
  };
  const told = {
    start() {
      state.events.push("start");
      behaviour.start?.(state);
    },
    head(statusCode: number, headers: Record<string, unknown>, statusText: string) {
      state.events.push(`head ${statusCode}`);
      state.heads.push({ statusCode, headers, statusText });
      if (statusCode >= 200) head();
      return behaviour.head?.(state) === true;
    },
    data(chunk: Buffer) {
      state.events.push("data");
      state.chunks.push(chunk);
      return behaviour.data?.(state) === true;
    },
    end(trailers: Record<string, unknown>) {
      state.events.push("end");
      state.trailers = trailers;
      finish();
      behaviour.end?.(state);
    },
    error(error: Error) {
      state.events.push("error");
      state.error = error;
      finish();
      behaviour.error?.(state);
    },
    upgrade(statusCode: number, headers: Record<string, unknown>, socket: Duplex) {
      state.events.push(`upgrade ${statusCode}`);
      state.heads.push({ statusCode, headers, statusText: "" });
      state.socket = socket;
      finish();
      behaviour.upgrade?.(state);
    },
  };
  const common: DispatchHandler = {
    onResponseStarted: () => void state.events.push("started"),
    ...(behaviour.bodySent && { onBodySent: behaviour.bodySent }),
    ...(behaviour.requestSent && { onRequestSent: behaviour.requestSent }),
  };
  state.handler =
    kind === "legacy"
      ? {
          ...common,
          onConnect(abort) {
            state.abort = abort;
            told.start();
          },
          onHeaders(statusCode, rawHeaders, resume, statusText) {
            state.resume = resume;
            return !told.head(statusCode, objectOf(rawHeaders), statusText);
          },
          onData: (chunk) => !told.data(chunk),
          onComplete: (rawTrailers) => told.end(objectOf(rawTrailers)),
          onError: told.error,
          onUpgrade: (status, rawHeaders, socket) =>
            told.upgrade(status, objectOf(rawHeaders), socket),
        }
      : {
          ...common,
          onRequestStart(controller) {
            state.controller = controller;
            state.abort = (reason) => controller.abort(reason);
            state.resume = () => controller.resume();
            told.start();
          },
          onResponseStart(controller, statusCode, headers, statusText) {
            if (told.head(statusCode, headers, statusText)) controller.pause();
          },
          onResponseData(controller, chunk) {
            if (told.data(chunk)) controller.pause();
          },
          onResponseEnd: (_controller, trailers) => told.end(trailers),
          onResponseError: (_controller, error) => told.error(error),
          onRequestUpgrade: (_controller, status, headers, socket) =>
            told.upgrade(status, headers, socket),
        };
  return state;
}

/** Dispatches and waits for the last callback. */
export async function dispatched(
  dispatcher: Pick<ClientDispatcher, "dispatch">,
  options: Partial<DispatchOptions>,
  kind: HandlerKind = "modern",
  behaviour?: Behaviour,
): Promise<Recorder> {
  const told = recorder(kind, behaviour);
  dispatcher.dispatch({ path: "/", method: "GET", ...options }, told.handler);
  await told.over;
  return told;
}

function objectOf(raw: readonly Buffer[]): Record<string, unknown> {
  const entries: [string, string][] = [];
  for (let index = 0; index < raw.length; index += 2) {
    assert.ok(
      Buffer.isBuffer(raw[index]) && Buffer.isBuffer(raw[index + 1]),
      "raw fields are Buffers",
    );
    entries.push([String(raw[index]).toLowerCase(), String(raw[index + 1])]);
  }
  return Object.fromEntries(entries);
}

/** A version of undici, under the types of undici 7. */
export type Undici = typeof import("undici7");

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);

/** By name; undici 8 needs Node.js 22.19. */
export const undicis: readonly (readonly [name: string, undici: Undici])[] = [
  ["undici 6", (await import("undici6")) as unknown as Undici],
  ["undici 7", await import("undici7")],
  ...(major > 22 || (major === 22 && minor >= 19)
    ? ([["undici 8", (await import("undici8")) as unknown as Undici]] as const)
    : []),
];
