// Drives a `ResponseParser` over a message in given pieces and writes down all that it says.

import { ResponseParseError } from "../../src/core/errors.ts";
import { type ResponseHead, ResponseParser, type ResponseSink } from "../../src/http1/parser.ts";
import type { Draw } from "./responses.ts";

/** All that a head says, in an object of its own: made when the head comes. */
export type ParsedHead = Omit<ResponseHead, "rawHeaderBuffers">;

/** What came out of a parser. Body bytes are joined, so that it does not depend on the pieces. */
export interface Parsed {
  readonly interim: ParsedHead[];
  head: ParsedHead | null;
  /** As latin1. */
  body: string;
  /** Null until the message is complete. */
  trailers: readonly string[] | null;
  /** The kinds of events in order, repetitions of `body` left out. */
  readonly order: string[];
  /** Of the `ResponseParseError`; null when none was thrown. */
  problem: string | null;
  /** Bytes taken in all. */
  takenBytes: number;
}

export interface ParsingOptions {
  /** GET when absent. */
  readonly method?: string | undefined;
  readonly maxHeaderBytes: number;
  /** Offsets at which the message is cut, ascending. */
  readonly cuts?: readonly number[];
}

/** Parses `message`, then tells the parser that the connection has ended. */
export function parse(message: Buffer, options: ParsingOptions): Parsed {
  const parsed = nothingParsed();
  const parser = new ResponseParser(
    recorder(() => parsed),
    { maxHeaderBytes: options.maxHeaderBytes },
    "http://a.test",
  );
  parser.begin(options.method ?? "GET");
  let start = 0;
  try {
    for (const end of [...(options.cuts ?? []), message.length]) {
      const next = parser.execute(message, start, end);
      if (!(next >= start && next <= end)) throw new Error(`${next} is outside ${start}…${end}`);
      if (next < end && !parser.idle) throw new Error(`only ${next} of ${end} bytes were taken`);
      parsed.takenBytes = next;
      if (parser.idle) break;
      start = end;
    }
    parser.finish();
  } catch (error) {
    if (!(error instanceof ResponseParseError)) throw error;
    parsed.problem = error.problem;
  }
  return parsed;
}

export function nothingParsed(): Parsed {
  return {
    interim: [],
    head: null,
    body: "",
    trailers: null,
    order: [],
    problem: null,
    takenBytes: 0,
  };
}

function copyOf(head: ResponseHead): ParsedHead {
  const { statusCode, statusText, minorVersion, rawHeaders } = head;
  const { keepAlive, keepAliveHeader, framing, contentLength } = head;
  const line = { statusCode, statusText, minorVersion, rawHeaders: [...rawHeaders] };
  return { ...line, keepAlive, keepAliveHeader, framing, contentLength };
}

/** A sink that writes down in what `current` returns. */
export function recorder(current: () => Parsed): ResponseSink {
  return {
    onInterim(head) {
      const parsed = current();
      parsed.order.push("interim");
      parsed.interim.push(copyOf(head));
    },
    onHead(head) {
      const parsed = current();
      parsed.order.push("head");
      parsed.head = copyOf(head);
    },
    onBody(buffer, start, end) {
      const parsed = current();
      if (start >= end) throw new Error("an empty piece of a body");
      if (parsed.order.at(-1) !== "body") parsed.order.push("body");
      parsed.body += buffer.toString("latin1", start, end);
    },
    onEnd(rawTrailers) {
      const parsed = current();
      parsed.order.push("end");
      parsed.trailers = rawTrailers;
    },
  };
}

/** Up to `most` ascending offsets within `length`. */
export function drawCuts(draw: Draw, length: number, most: number): number[] {
  const cuts = Array.from({ length: draw(most + 1) }, () => draw(length + 1));
  return cuts.sort((a, b) => a - b);
}
