// The response parser: every rule by a message of the corpus, every message at every split, and
// mutations of them.
//   KEEPLINE_SEED=n   repeats the random part of a failure
//   KEEPLINE_RUNS=n   how many mutations, 100,000 when absent

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  drawCuts,
  nothingParsed,
  type ParsedHead,
  parse,
  recorder,
} from "../../test/conformance/parsing.ts";
import {
  corpus,
  corpusLimitBytes,
  drawFrom,
  invalidSamples,
  mutate,
  type Sample,
  seededDraw,
  validSamples,
} from "../../test/conformance/responses.ts";
import { extent } from "../../test/support/thorough.ts";
import { KeeplineError, ResponseParseError } from "../core/errors.ts";
import { ResponseParser, type ResponseSink } from "./parser.ts";

const seed = Number(process.env.KEEPLINE_SEED ?? 1);
const mutationCount = Number(process.env.KEEPLINE_RUNS ?? extent(20_000, 100_000));
const again = `repeat with KEEPLINE_SEED=${seed}`;
const ignored: ResponseSink = { onInterim() {}, onHead() {}, onBody() {}, onEnd() {} };
const okHead = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";

function parserFor(sink: Partial<ResponseSink>, maxHeaderBytes = corpusLimitBytes): ResponseParser {
  return new ResponseParser({ ...ignored, ...sink }, { maxHeaderBytes }, "http://a.test");
}

function feed(parser: ResponseParser, text: string): number {
  const bytes = Buffer.from(text, "latin1");
  return parser.execute(bytes, 0, bytes.length);
}

function parseSample(sample: Sample, cuts: readonly number[] = [], more = "") {
  const bytes = Buffer.from(sample.message + more, "latin1");
  return parse(bytes, { method: sample.method, maxHeaderBytes: corpusLimitBytes, cuts });
}

function headOf(text: string, method = "GET"): ParsedHead {
  const { head, problem } = parse(Buffer.from(text, "latin1"), {
    method,
    maxHeaderBytes: corpusLimitBytes,
  });
  assert.ok(head !== null, String(problem));
  return head;
}

for (const sample of validSamples) {
  test(`accepted: ${sample.title}`, () => {
    const parsed = parseSample(sample);
    assert.equal(parsed.problem, null);
    assert.equal(parsed.head?.statusCode, sample.status);
    if (sample.reason !== undefined) assert.equal(parsed.head?.statusText, sample.reason);
    if (sample.headers !== undefined) assert.deepEqual(parsed.head?.rawHeaders, sample.headers);
    assert.equal(parsed.head?.keepAlive, sample.keepAlive);
    assert.deepEqual(
      parsed.interim.map((head) => head.statusCode),
      sample.interim ?? [],
    );
    assert.equal(parsed.body, sample.body ?? "");
    assert.deepEqual(parsed.trailers, sample.trailers ?? []);
    assert.equal(parsed.takenBytes, sample.message.length);
  });
}

for (const sample of invalidSamples) {
  test(`refused: ${sample.title}`, () => {
    const parsed = parseSample(sample);
    assert.equal(parsed.problem, sample.problem);
    assert.equal(parsed.trailers, null);
  });
}

test("however a message is split, the events, the error and the bytes taken are the same", () => {
  const draw = seededDraw(seed);
  for (const sample of corpus) {
    const whole = parseSample(sample);
    const { length } = sample.message;
    const same = (cuts: readonly number[]) =>
      assert.deepEqual(
        { ...parseSample(sample, cuts), takenBytes: 0 },
        { ...whole, takenBytes: 0 },
        `${sample.title}, cut at ${cuts.slice(0, 20)}; ${again}`,
      );
    for (let cut = 0; cut <= length; cut++) same([cut]);
    same(Array.from({ length }, (_, at) => at));
    for (let run = 0; run < 50; run++) same(drawCuts(draw, length, 12));
  }
});

test("a fault is reported with the byte that makes it one, not later", () => {
  for (const sample of invalidSamples) {
    const at = Number(/at byte (\d+) of the response$/.exec(sample.problem)?.[1]);
    // What is refused as a whole is refused with its last byte, and the offset is that after it.
    const isWhole =
      parseSample({ ...sample, message: sample.message.slice(0, at) }).problem !== null;
    const before = sample.message.slice(0, isWhole ? at - 1 : at);
    const until = sample.message.slice(0, isWhole ? at : at + 1);
    assert.equal(parseSample({ ...sample, message: before }).problem, null, sample.title);
    assert.equal(parseSample({ ...sample, message: until }).problem, sample.problem, sample.title);
  }
});

test("what follows a message is not taken, whatever it is and wherever the input is split", () => {
  for (const sample of validSamples) {
    if (sample.untilClose) continue;
    const { length } = sample.message;
    for (const more of ["\0", "\r\n", okHead, "0\r\n\r\n"]) {
      for (let cut = 0; cut <= length + more.length; cut++) {
        const parsed = parseSample(sample, [cut], more);
        assert.equal(parsed.takenBytes, length, `${sample.title}, cut at ${cut}`);
        assert.equal(parsed.trailers?.length, sample.trailers?.length ?? 0);
        assert.equal(parsed.body, sample.body ?? "");
      }
    }
  }
});

test("no byte outside start and end is looked at", () => {
  for (const sample of corpus) {
    const bytes = Buffer.from(sample.message, "latin1");
    for (const filling of ["\r", "\n", "0", "a"]) {
      // Every piece lies between other bytes, which would change what it means.
      const parser = parserFor({}, corpusLimitBytes);
      parser.begin(sample.method ?? "GET");
      let problem: string | null = null;
      try {
        for (let at = 0; at < bytes.length && !parser.idle; at += 3) {
          const piece = bytes.subarray(at, at + 3);
          const framed = Buffer.concat([Buffer.alloc(5, filling), piece, Buffer.alloc(5, filling)]);
          const next = parser.execute(framed, 5, 5 + piece.length);
          assert.ok(next >= 5 && next <= 5 + piece.length);
        }
      } catch (error) {
        assert.ok(error instanceof ResponseParseError, String(error));
        problem = error.problem;
      }
      assert.equal(problem, parseSample(sample).problem, sample.title);
    }
  }
});

test("an incomplete message is no fault while bytes may follow, and not complete at the end", () => {
  for (const sample of validSamples) {
    for (let length = 0; length < sample.message.length; length++) {
      const parser = parserFor({ onEnd: () => assert.fail(sample.title) });
      parser.begin(sample.method ?? "GET");
      assert.equal(feed(parser, sample.message.slice(0, length)), length);
      assert.equal(parser.idle, false);
      assert.equal(parser.started, length > 0);
      if (headIsRead(sample.message.slice(0, length)) && sample.untilClose) continue;
      assert.equal(parser.finish(), false, `${sample.title}, ${length} bytes`);
    }
  }
});

function headIsRead(text: string): boolean {
  return text.includes("\r\n\r\n");
}

test("the head says how the body ends and how long it is", () => {
  const cases: [string, string, string, number][] = [
    ["GET", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "length", 7],
    ["GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "length", 0],
    ["GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "chunked", -1],
    ["GET", "HTTP/1.1 200 OK\r\n\r\n", "close", -1],
    ["GET", "HTTP/1.1 204 OK\r\n\r\n", "none", -1],
    ["GET", "HTTP/1.1 304 OK\r\nContent-Length: 9007199254740991\r\n\r\n", "none", 2 ** 53 - 1],
    ["HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "none", 7],
    ["head", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "length", 7],
    ["HEAD", "HTTP/1.0 200 OK\r\n\r\n", "none", -1],
  ];
  for (const [method, text, framing, contentLength] of cases) {
    const head = headOf(text, method);
    assert.deepEqual(
      [head.framing, head.contentLength, head.minorVersion],
      [framing, contentLength, Number(text[7])],
      text,
    );
  }
});

test("Keep-Alive headers are handed on as they are, joined when there are several", () => {
  const rest = "Content-Length: 0\r\n\r\n";
  const of = (fields: string) => headOf(`HTTP/1.1 200 OK\r\n${fields}${rest}`).keepAliveHeader;
  assert.equal(of(""), null);
  assert.equal(of("Keep-Alive:\r\n"), "");
  assert.equal(of("KEEP-ALIVE: timeout=5, max=7 \r\n"), "timeout=5, max=7");
  assert.equal(of("Keep-Alive: timeout=5\r\nX: y\r\nkeep-alive: max=7\r\n"), "timeout=5, max=7");
});

test("a parser reads message after message, and neither the last one nor other parsers disturb it", () => {
  const samples = validSamples.filter((each) => !each.untilClose);
  for (const pieceBytes of [10_000, 17, 1]) {
    // Each starts elsewhere in the corpus; they take turns, a piece each.
    const readers = [0, 7, 19].map((offset) => {
      let parsed = nothingParsed();
      let remaining = "";
      let sample: Sample | undefined;
      let count = 0;
      const parser = parserFor(recorder(() => parsed));
      return (): boolean => {
        if (parser.idle) {
          if (sample !== undefined) {
            parsed.takenBytes = sample.message.length;
            assert.deepEqual(parsed, parseSample(sample), sample.title);
            assert.equal(remaining, "");
            assert.equal(parser.started, false);
            assert.equal(parser.finish(), true);
          }
          if (count === 2 * samples.length) return false;
          sample = samples[(offset + count++) % samples.length]!;
          parsed = nothingParsed();
          remaining = sample.message;
          parser.begin(sample.method ?? "GET");
          assert.equal(parser.started, false);
        }
        const takenBytes = feed(parser, remaining.slice(0, pieceBytes));
        remaining = remaining.slice(takenBytes);
        return true;
      };
    });
    while (readers.map((read) => read()).some((goesOn) => goesOn));
  }
});

test("a parser that expects nothing takes nothing", () => {
  const parser = parserFor({ onHead: () => assert.fail() });
  const bytes = Buffer.from(`xx${okHead}`);
  assert.equal(parser.execute(bytes, 2, bytes.length), 2);
  assert.equal(parser.idle, true);
  assert.equal(parser.started, false);
});

test("the next response may be expected from within onEnd; its bytes are left for the next call", () => {
  let endCount = 0;
  const statusCodes: number[] = [];
  const parser: ResponseParser = parserFor({
    onHead: (head) => statusCodes.push(head.statusCode),
    onEnd() {
      assert.equal(parser.idle, true);
      if (endCount++ < 9) parser.begin("GET");
      assert.equal(parser.started, false);
    },
  });
  const message = `${okHead}ab`;
  const bytes = Buffer.from(message.repeat(10));
  parser.begin("GET");
  for (let at = 0; at < bytes.length; ) {
    const next = parser.execute(bytes, at, bytes.length);
    assert.equal(next, at + message.length);
    at = next;
    assert.equal(parser.started, false);
  }
  assert.equal(endCount, 10);
  assert.equal(statusCodes.length, 10);
  assert.equal(parser.idle, true);
});

test("started is true in every callback before onEnd, and after the first byte", () => {
  const parser: ResponseParser = parserFor({
    onInterim: () => assert.equal(parser.started, true),
    onHead: () => assert.equal(parser.started, true),
    onBody: () => assert.equal(parser.started, true),
  });
  parser.begin("GET");
  assert.equal(parser.started, false);
  feed(parser, "");
  assert.equal(parser.started, false);
  feed(parser, "H");
  assert.equal(parser.started, true);
  feed(parser, `TTP/1.1 100 \r\n\r\n${okHead}a`);
  assert.equal(parser.started, true);

  const faulty = parserFor({});
  faulty.begin("GET");
  assert.throws(() => feed(faulty, "x"), ResponseParseError);
  assert.equal(faulty.started, true);
});

test("begin refuses while a response is under way, and after a fault", () => {
  const parser = parserFor({});
  parser.begin("GET");
  assert.throws(() => parser.begin("GET"), /^Error: a response is under way/);
  feed(parser, okHead);
  assert.throws(() => parser.begin("GET"), /^Error: a response is under way/);
  feed(parser, "ab");
  parser.begin("GET");
  assert.throws(() => feed(parser, "\n"), ResponseParseError);
  assert.throws(() => parser.begin("GET"), /^Error: a response is under way/);
});

test("after a fault every further input throws the same error, and nothing is complete", () => {
  const parser = parserFor({ onHead: () => assert.fail(), onEnd: () => assert.fail() });
  parser.begin("GET");
  const errors: unknown[] = [];
  for (const text of ["HTTP/3", okHead, ""]) {
    try {
      feed(parser, text);
    } catch (error) {
      errors.push(error);
    }
  }
  const [first] = errors;
  assert.deepEqual(errors, [first, first, first]);
  assert.equal(errors[1], first);
  assert.equal(errors[2], first);
  assert.equal(parser.idle, false);
  assert.equal(parser.finish(), false);
  assert.ok(first instanceof ResponseParseError && first instanceof KeeplineError);
  assert.equal(first.code, "ERR_KEEPLINE_RESPONSE_PARSE");
  assert.equal(first.origin, "http://a.test");
  assert.equal(first.requestSent, true);
});

test("what a callback throws passes through and ends the parser; from onEnd it does not end it", () => {
  const thrown = new Error("of the sink");
  const fail = () => {
    throw thrown;
  };
  const message = `HTTP/1.1 100 \r\n\r\n${okHead}ab`;
  for (const name of ["onInterim", "onHead", "onBody"] as const) {
    const parser = parserFor({ [name]: fail, onEnd: () => assert.fail() });
    parser.begin("GET");
    assert.throws(() => feed(parser, message), thrown);
    assert.throws(() => feed(parser, message), thrown);
    assert.equal(parser.finish(), false);
  }
  const parser = parserFor({ onEnd: fail });
  parser.begin("GET");
  assert.throws(() => feed(parser, message), thrown);
  assert.equal(parser.idle, true);
  parser.begin("GET");
});

test("a message without trailers ends with one frozen array that all share", () => {
  const arrays: string[][] = [];
  const sink = { onEnd: (rawTrailers: string[]) => arrays.push(rawTrailers) };
  const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
  for (const text of [`${okHead}ab`, `${chunked}\r\n`, `${chunked}A: b\r\n\r\n`]) {
    const parser = parserFor(sink);
    parser.begin("GET");
    feed(parser, text);
  }
  assert.equal(arrays[0], arrays[1]);
  assert.ok(Object.isFrozen(arrays[0]));
  assert.deepEqual(arrays, [[], [], ["A", "b"]]);
});

test("heads, trailers and extensions are bounded each for itself, and anew for each response", () => {
  const field = `A: ${"a".repeat(1900)}\r\n`;
  const message =
    `HTTP/1.1 200 OK\r\n${field}Transfer-Encoding: chunked\r\n\r\n` +
    `1;${"a".repeat(2000)}\r\nx\r\n0\r\n${field}\r\n`;
  const parser = parserFor({});
  for (let run = 0; run < 3; run++) {
    parser.begin("GET");
    assert.equal(feed(parser, message), message.length);
  }
});

test("an infinite limit is none", () => {
  const parser = parserFor({}, Number.POSITIVE_INFINITY);
  parser.begin("GET");
  const text = `HTTP/1.1 200 OK\r\n${`A: ${"a".repeat(999)}\r\n`.repeat(300)}Content-Length: 0\r\n\r\n`;
  assert.equal(feed(parser, text.slice(0, 150_000)), 150_000);
  feed(parser, text.slice(150_000));
  assert.equal(parser.idle, true);
});

test("an error quotes little of what the server sent, and only printable characters", () => {
  const hostile = "\x1b[2J\u202e".repeat(1000);
  const nasty = [
    `HTTP/1.1 200 OK\r\nContent-Length: \xff"${"9".repeat(1500)}\r\n\r\n`,
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: \xad\x80${"x".repeat(1500)}\r\n\r\n`,
    `HTTP/1.1 200 OK\r\n${"N".repeat(1500)} : x\r\n\r\n`,
    `HTTP/1.1 200 OK\r\n${"N".repeat(900)}: x\r\n y\r\n\r\n`,
    Buffer.from(hostile).toString("latin1"),
  ];
  for (const text of nasty) {
    const { problem } = parse(Buffer.from(text, "latin1"), { maxHeaderBytes: 2048 });
    assert.match(String(problem), /^[ -~…]{10,160}$/);
  }
});

test("a head that comes byte by byte costs as much a byte at its end as at its start", () => {
  // Anything quadratic takes minutes for a million bytes; this takes a fraction of a second.
  const limit = 1_000_000;
  const text = `HTTP/1.1 200 OK\r\n${"Name: value\r\n".repeat(20_000)}A: ${"a".repeat(700_000)}\r\n\r\n`;
  const bytes = Buffer.from(text);
  const parser = parserFor({}, limit);
  parser.begin("HEAD");
  const startedAt = performance.now();
  for (let at = 0; at < bytes.length; at++) parser.execute(bytes, at, at + 1);
  assert.equal(parser.idle, true);
  assert.ok(performance.now() - startedAt < 10_000);
});

test(`${mutationCount} mutated messages: only ResponseParseError, and no split changes anything (seed ${seed})`, () => {
  const draw = seededDraw(seed);
  let refusedCount = 0;
  let completeCount = 0;
  for (let run = 0; run < mutationCount; run++) {
    const sample = drawFrom(draw, corpus);
    const text = mutate(draw, sample.message, drawFrom(draw, corpus).message);
    const bytes = Buffer.from(text, "latin1");
    const options = {
      method: sample.method,
      maxHeaderBytes: drawFrom(draw, [64, 400, 2048, 16_384]),
    };
    const cuts = draw(50) === 0 ? Array.from(bytes.keys()) : drawCuts(draw, bytes.length, 6);
    try {
      const whole = parse(bytes, options);
      const split = parse(bytes, { ...options, cuts });
      assert.match(whole.order.join(" "), /^(interim ?)*(head)?( body)?( end)?$/);
      assert.ok(whole.body.length <= bytes.length);
      assert.ok(whole.takenBytes <= bytes.length);
      assert.equal(whole.trailers === null || whole.problem === null, true);
      if (whole.problem === null) assert.equal(split.takenBytes, whole.takenBytes);
      assert.deepEqual({ ...split, takenBytes: 0 }, { ...whole, takenBytes: 0 });
      if (whole.problem !== null) refusedCount++;
      if (whole.trailers !== null) completeCount++;
    } catch (error) {
      const where = `run ${run}, cuts ${cuts}, ${JSON.stringify(text.slice(0, 600))}; ${again}`;
      throw new Error(where, { cause: error });
    }
  }
  // A mutation that leaves nothing valid, or nothing invalid, would test little.
  assert.ok(refusedCount > mutationCount / 5 && completeCount > mutationCount / 20);
});

test("where an upgrade or a tunnel was asked for, HTTP ends behind its response, whatever that says of a body", () => {
  const upgraded = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n";
  const connected = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
  for (const [method, head] of [
    ["GET", upgraded],
    ["CONNECT", connected],
  ] as const) {
    const framings: string[] = [];
    const parser = new ResponseParser(
      { ...ignored, onHead: ({ framing }) => framings.push(framing) },
      { maxHeaderBytes: 16_384 },
      "http://a.test",
    );
    parser.begin(method, true);
    const bytes = Buffer.from(`${head}not HTTP`);
    assert.equal(parser.execute(bytes, 0, bytes.length), head.length);
    assert.deepEqual(framings, ["tunnel"]);
    assert.equal(parser.idle, true);
  }
});

function taken(sink: Partial<ResponseSink>, maxHeaderBytes = corpusLimitBytes): ResponseParser {
  return ResponseParser.take({ ...ignored, ...sink }, { maxHeaderBytes }, "http://a.test");
}

test("a parser that was given back reads for who takes it next, and for nobody else", () => {
  const told: string[] = [];
  const first = taken({ onHead: () => told.push("first") });
  first.begin("GET");
  feed(first, `${okHead}ok`);
  first.giveBack();
  const second = taken({ onHead: () => told.push("second") });
  assert.equal(second, first);
  second.begin("GET");
  feed(second, `${okHead}ok`);
  assert.deepEqual(told, ["first", "second"]);
});

test("a parser in the middle of a response, or that failed, is nobody's when it is given back", () => {
  const broken = taken({});
  broken.begin("GET");
  assert.throws(() => feed(broken, "HTTP/1.1 200 OK\r\na : b\r\n\r\n"), ResponseParseError);
  broken.giveBack();
  for (const begun of ["", "HTTP/1.1 2", okHead, `${okHead}o`]) {
    const parser = taken({});
    assert.notEqual(parser, broken);
    parser.begin("GET");
    feed(parser, begun);
    parser.giveBack();
    const next = taken({});
    assert.notEqual(next, parser, JSON.stringify(begun));
    next.giveBack();
  }
});

test("a parser is not taken for other limits than its own", () => {
  const small = taken({}, 64);
  small.giveBack();
  const large = taken({}, 1_000);
  assert.notEqual(large, small);
  large.begin("GET");
  feed(large, `HTTP/1.1 200 OK\r\na: ${"b".repeat(100)}\r\ncontent-length: 0\r\n\r\n`);
});

test("what is counted of one response is not counted of the next one, whoever has the parser", () => {
  const chunks: string[] = [];
  const onBody = (buffer: Buffer, start: number, end: number) =>
    chunks.push(buffer.toString("latin1", start, end));
  const head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
  for (let round = 0; round < 3; round++) {
    const parser = taken({ onBody });
    assert.equal(parser.started, false);
    parser.begin("GET");
    feed(parser, `${head}2;x=${"y".repeat(200)}\r\nok\r\n0\r\n\r\n`);
    assert.ok(parser.idle);
    parser.giveBack();
  }
  assert.deepEqual(chunks, ["ok", "ok", "ok"]);
});
