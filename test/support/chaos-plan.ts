/**
 * What happens in a chaos run, all of it from one seed: which requests are sent, and which faults each
 * connection meets. The plan of a request or connection follows from its number alone, not from the time.
 */
import { Readable } from "node:stream";
import type { BodyInput, RequestOptions } from "../../src/index.ts";
import type { Fault, Moment, ProxiedConnection } from "../../src/testing/index.ts";
import { type Answer, answerField, bytesOf } from "./checksum-origin.ts";
import { type Choices, choices } from "./choices.ts";

/** Every kind of body, by how it is given. */
export const bodyKinds = [
  "none",
  "string",
  "json",
  "bytes",
  "params",
  "form",
  "blob",
  "readable",
  "iterable",
  "web stream",
  "function",
] as const;

/** How a body is given. */
export type BodyKind = (typeof bodyKinds)[number];

/** Bodies that can be read once. */
const onceKinds: readonly BodyKind[] = ["readable", "iterable", "web stream"];

/** One request of a run. */
export interface PlannedRequest {
  readonly id: number;
  /** Which of the origins it goes to. */
  readonly place: number;
  readonly method: string;
  readonly bodyKind: BodyKind;
  /** What the origin is to receive; of a form, the values only. */
  readonly payload: Buffer;
  readonly hasKey: boolean;
  readonly expectsContinue: boolean;
  readonly resend: "safe" | "never";
  readonly answer: Answer;
  /** Which way to read the response, from 0. */
  readonly reader: number;
  /** How long the program waits before it reads. */
  readonly pauseMsecs: number;
  /** The server may see it no more than once. */
  readonly isOnce: boolean;
  /** Its body may be read no more than once. */
  readonly hasOneBody: boolean;
}

const bodyless = ["GET", "GET", "GET", "GET", "HEAD", "OPTIONS", "DELETE"];
const withBody = ["PUT", "PUT", "PUT", "POST", "POST", "POST", "PATCH", "DELETE", "OPTIONS"];

/** The request with number `id`. */
export function plannedRequest(seed: number, id: number): PlannedRequest {
  const { upTo, oneOf } = choices(seed, id);
  const bodyKind = upTo(2) === 0 ? "none" : oneOf(bodyKinds);
  const method = bodyKind === "none" && upTo(4) > 0 ? oneOf(bodyless) : oneOf(withBody);
  const size = (): number =>
    upTo(upTo(25) === 0 ? 200_000 : oneOf([1, 300, 300, 3_000, 3_000, 15_000]));
  const hasKey = method === "POST" && upTo(3) === 0;
  const resend = upTo(8) === 0 ? "never" : "safe";
  const isIdempotent = hasKey || (method !== "POST" && method !== "PATCH");
  const hasOneBody = onceKinds.includes(bodyKind);
  const expectsContinue = bodyKind !== "none" && upTo(10) === 0;
  return {
    id,
    place: oneOf([0, 0, 0, 0, 1, 1, 1, 2]),
    method,
    bodyKind,
    payload: payloadOf(id, bodyKind, size()),
    hasKey,
    expectsContinue,
    resend,
    answer: {
      framing: upTo(30) === 0 ? "close" : oneOf(["length", "chunked"]),
      bytes: size(),
      pieces: 1 + upTo(4),
      delayMsecs: upTo(10) === 0 ? upTo(15) : 0,
    },
    reader: upTo(60),
    pauseMsecs: upTo(100) === 0 ? upTo(10) : 0,
    // A head that went out alone, and a body that was not begun, may be sent again.
    isOnce: resend === "never" || !isIdempotent || (hasOneBody && !expectsContinue),
    hasOneBody,
  };
}

function payloadOf(id: number, kind: BodyKind, bytes: number): Buffer {
  const content = bytesOf(id, kind === "none" ? 0 : bytes);
  if (kind === "json") return Buffer.from(JSON.stringify(content.toString()));
  if (kind !== "params") return content;
  return Buffer.from(new URLSearchParams({ content: content.toString() }).toString());
}

/** The options to send `planned` with. */
export function optionsOf(planned: PlannedRequest): RequestOptions {
  const { id, method, bodyKind, payload, resend, hasKey, expectsContinue, answer } = planned;
  const headers = {
    "x-id": id,
    "x-answer": answerField(answer),
    "idempotency-key": hasKey ? `key-${id}` : undefined,
    expect: expectsContinue ? "100-continue" : undefined,
  };
  const options = { method, headers, resend };
  if (bodyKind === "json") return { ...options, json: JSON.parse(payload.toString()) };
  return { ...options, body: bodyOf(planned) };
}

function bodyOf({ bodyKind, payload }: PlannedRequest): BodyInput | null {
  async function* pieces() {
    const step = Math.max(Math.ceil(payload.length / 3), 1);
    for (let at = 0; at < payload.length; at += step) {
      if (at > 0) await new Promise((resolve) => setImmediate(resolve));
      yield payload.subarray(at, at + step);
    }
  }
  switch (bodyKind) {
    case "none":
    case "json":
      return null;
    case "string":
      return payload.toString();
    case "bytes":
      return payload;
    case "params":
      return new URLSearchParams(payload.toString());
    case "form": {
      const half = payload.length >> 1;
      const form = new FormData();
      form.set("field", payload.toString("utf8", 0, half));
      form.set("file", new Blob([new Uint8Array(payload.subarray(half))]), "file");
      return form;
    }
    case "blob":
      return new Blob([new Uint8Array(payload)]);
    case "readable":
      return Readable.from(pieces());
    case "iterable":
      return pieces();
    case "web stream":
      return Readable.toWeb(Readable.from(pieces())) as BodyInput & ReadableStream;
    case "function":
      return () => pieces();
    default:
      return bodyKind satisfies never;
  }
}

/** A fault that a connection is to meet. */
interface PlannedFault {
  readonly moment: Moment;
  readonly fault: Fault;
}

/**
 * The faults of the connection with number `index` to the origin `place`. Each of them ends in time: what only
 * makes a connection slow is followed by what breaks it.
 */
export function plannedFaults(seed: number, place: number, index: number): PlannedFault[] {
  const chosen = choices(seed + 1_000_003 * (place + 1), index);
  const { upTo, oneOf } = chosen;
  if (upTo(6) === 0) return [];
  const toward = oneOf(["both", "client", "server"] as const);
  const end = oneOf(["client", "server"] as const);
  const moment = momentOf(chosen);
  const breaking: Fault = oneOf([{ kind: "fin" }, { kind: "reset" }] as const);
  switch (upTo(14)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return [{ moment, fault: { kind: "fin", toward: oneOf(["both", "both", "client"]) } }];
    case 4:
    case 5:
    case 6:
      return [{ moment, fault: { kind: "reset", toward: oneOf(["both", "both", "client"]) } }];
    case 7:
    case 8:
      return [{ moment, fault: { kind: "half-close", toward: end } }];
    case 9:
    case 10:
      return [
        { moment, fault: { kind: "truncate", toward: end, bytes: upTo(2_000), by: breaking.kind } },
      ];
    case 11:
      // Now and then until the client has had enough of it: see its timeouts.
      return upTo(3) === 0
        ? [{ moment, fault: { kind: oneOf(["stall", "fin", "reset"]), toward } }]
        : [{ moment, fault: { kind: "stall", toward, msecs: upTo(60) } }];
    default: {
      // A turn of the event loop for each piece takes its time.
      const bytes = oneOf([1, 2, 3, 10, 100, 1_000]);
      const limit = { bytes: 300 + upTo(Math.min(1_000 * bytes, 50_000)) };
      return [
        { moment, fault: { kind: "split", toward, bytes } },
        { moment: { after: "bytes-to-client", ...limit }, fault: breaking },
        { moment: { after: "bytes-to-server", ...limit }, fault: breaking },
      ];
    }
  }
}

function momentOf({ upTo, oneOf }: Choices): Moment {
  switch (upTo(8)) {
    case 0:
      return { after: "idle", msecs: oneOf([3, 10, 15, 20, 25, 30]) };
    case 1:
      return { after: "msecs", msecs: upTo(1_500) };
    case 2:
    case 3:
      // Where in a message this is, nobody knows.
      return { after: "bytes-to-server", bytes: 1 + upTo(oneOf([400, 20_000, 100_000])) };
    case 4:
    case 5:
      return { after: "bytes-to-client", bytes: 1 + upTo(oneOf([400, 20_000, 100_000])) };
    case 6:
      return { after: "requests", count: 1 + upTo(30) };
    default:
      return { after: "responses", count: 1 + upTo(30) };
  }
}

/** Sets the faults of `connection`, and calls `happened` when one of them begins. */
export function setFaults(
  connection: ProxiedConnection,
  faults: readonly PlannedFault[],
  happened: (fault: Fault, moment: Moment) => void,
): void {
  for (const { moment, fault } of faults) {
    let isSet = false;
    let hasHappened = false;
    // A fault is looked at when it is set, to be checked, and then not before it happens.
    const watched = Object.defineProperty({ ...fault }, "kind", {
      enumerable: true,
      get: () => {
        if (isSet && !hasHappened) {
          hasHappened = true;
          happened(fault, moment);
        }
        return fault.kind;
      },
    });
    connection.at(moment, watched);
    isSet = true;
  }
}
