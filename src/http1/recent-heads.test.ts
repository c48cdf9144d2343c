import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "../../test/conformance/parsing.ts";
import {
  corpusLimitBytes,
  drawFrom,
  seededDraw,
  validSamples,
} from "../../test/conformance/responses.ts";
import { ResponseParseError } from "../core/errors.ts";
import { type ResponseHead, ResponseParser } from "./parser.ts";
import { keepHead, recentHead } from "./recent-heads.ts";

const limits = { maxHeaderBytes: corpusLimitBytes };
const head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Name: value\r\n\r\n";
const message = `${head}hello`;

/** The final head of a response to a request with `method`, read in one piece. */
function headOf(text: string, method = "GET", asksForTunnel = false): ResponseHead {
  let found: ResponseHead | null = null;
  const sink = { onInterim() {}, onHead, onBody() {}, onEnd() {} };
  function onHead(given: ResponseHead) {
    found = given;
  }
  const parser = new ResponseParser(sink, limits, "http://a.test");
  parser.begin(method, asksForTunnel);
  const bytes = Buffer.from(text, "latin1");
  parser.execute(bytes, 0, bytes.length);
  assert.ok(found !== null);
  return found;
}

/** As many further heads as make the places forget that others came before. */
function settle(text: string): void {
  // One pause, a miss, another pause.
  for (let read = 0; read < 300; read++) headOf(text);
}

test("a head that comes again is the same one, and a head that differs in any byte is another", () => {
  settle(message);
  const known = headOf(message);
  assert.equal(headOf(message), known);
  for (let at = 0; at < head.length; at++) {
    const bytes = Buffer.from(message, "latin1");
    bytes[at] = (bytes[at] as number) ^ 1;
    assert.equal(recentHead(bytes, 0, bytes.length), null, `byte ${at}`);
    settle(message);
  }
  // The body is no part of it.
  assert.equal(headOf(`${head}HELLO`), headOf(message));
});

test("what is found is what reading it would give, whatever came before", () => {
  const draw = seededDraw(1);
  const samples = validSamples.filter(({ untilClose }) => untilClose !== true);
  for (let run = 0; run < 20_000; run++) {
    const sample = drawFrom(draw, samples);
    const bytes = Buffer.from(sample.message, "latin1");
    const options = { method: sample.method, ...limits };
    const whole = parse(bytes, { ...options, cuts: [] });
    // In two pieces it is always read.
    const split = parse(bytes, { ...options, cuts: [1] });
    assert.deepEqual({ ...whole, takenBytes: 0 }, { ...split, takenBytes: 0 }, sample.title);
  }
});

test("a head is not taken for the same one where it means something else", () => {
  settle(message);
  assert.equal(headOf(message).framing, "length");
  assert.equal(headOf(message, "HEAD").framing, "none");
  assert.equal(headOf(message, "CONNECT", true).framing, "tunnel");
  assert.equal(headOf(message).framing, "length");
  const switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n";
  for (let read = 0; read < 10; read++) {
    assert.equal(headOf(switching, "GET", true).framing, "tunnel");
    assert.throws(() => headOf(switching), ResponseParseError);
  }
});

test("a head that is known is still too large for a smaller limit", () => {
  settle(message);
  const parser = new ResponseParser(
    { onInterim() {}, onHead: () => assert.fail("too large"), onBody() {}, onEnd() {} },
    { maxHeaderBytes: head.length - 1 },
    "http://a.test",
  );
  parser.begin("GET");
  const bytes = Buffer.from(message, "latin1");
  assert.throws(() => parser.execute(bytes, 0, bytes.length), /larger than maxHeaderBytes/);
});

test("where no head is that of before few are kept, and one that comes again is found soon after", (t) => {
  const varied = (id: number) => message.replace("value", String(10_000 + id));
  const allocated = t.mock.method(Buffer, "allocUnsafeSlow");
  for (let id = 0; id < 2_000; id++) headOf(varied(id));
  const kept = allocated.mock.callCount();
  assert.ok(kept > 0 && kept < 30, `${kept} of 2,000 were kept`);
  settle(message);
  assert.equal(headOf(message), headOf(message));
});

test("a head of more than 2 KiB is not kept", () => {
  for (const [valueBytes, isKept] of [
    [2_048 - head.length, true],
    [2_048 - head.length + 1, false],
  ] as const) {
    const large = message.replace("value", "v".repeat("value".length + valueBytes));
    for (let read = 0; read < 300; read++) parse(Buffer.from(large), { maxHeaderBytes: 4_096 });
    const bytes = Buffer.from(large, "latin1");
    assert.equal(recentHead(bytes, 0, bytes.length) !== null, isKept);
  }
});

test("what is shared cannot be changed, and is no longer that of the buffer it was read from", () => {
  const bytes = Buffer.from(message, "latin1");
  settle(message.replace("value", "other"));
  const own = headOf(message);
  settle(message);
  recentHead(bytes, 0, bytes.length);
  keepHead(own, bytes, 0, head.length, bytes.length);
  bytes.fill(0);
  const again = Buffer.from(message, "latin1");
  assert.equal(recentHead(again, 0, again.length)?.head, own);
  assert.throws(() => (own.rawHeaders as string[]).push("x", "y"), TypeError);
  assert.deepEqual(own.rawHeaderBuffers.map(String), [
    ...["Content-Length", "5", "X-Name", "value"],
  ]);
});
