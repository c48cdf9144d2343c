import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { Writable } from "node:stream";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { fc } from "../../test/support/fast-check.ts";
import { InvalidRequestError } from "../core/errors.ts";
import { BodyWriter, sourceOf } from "./body-writer.ts";
import type { BodySource } from "./exchange.ts";

/** A source of `pieces` that notes what is done with it. */
class Source implements BodySource {
  pulled = 0;
  cancelled = 0;
  readonly #pieces: readonly unknown[];

  constructor(...pieces: readonly unknown[]) {
    this.#pieces = pieces;
  }

  async next(): Promise<IteratorResult<unknown>> {
    const index = this.pulled++;
    if (index >= this.#pieces.length) return { done: true, value: undefined };
    const value = this.#pieces[index];
    if (value instanceof Error) throw value;
    return { done: false, value };
  }

  cancel(): void {
    this.cancelled++;
  }
}

/** Writes `source` to a socket that takes everything, or to one that takes a piece with each `take`. */
function write(source: BodySource, byteLength: number | null, flow: "flows" | "stands" = "flows") {
  const taken: Buffer[] = [];
  const waiting: (() => void)[] = [];
  const socket = new Writable({
    highWaterMark: 4,
    write(piece: Buffer, _, done) {
      taken.push(Buffer.from(piece)); // the source may use it again
      if (flow === "flows") done();
      else waiting.push(done);
    },
  });
  const calls: string[] = [];
  const failures: unknown[] = [];
  const writer = new BodyWriter(socket as Socket, source, byteLength, {
    bodyFlowing: (isFlowing, bytes) => calls.push(`${isFlowing ? "flows" : "stands"} at ${bytes}`),
    bodyWritten: () => calls.push("written"),
    bodyFailed: (error) => {
      calls.push("failed");
      failures.push(error);
    },
  });
  return {
    writer,
    calls,
    failures,
    finished: writer.run(),
    text: () => Buffer.concat(taken).toString("latin1"),
    sizes: () => taken.map((piece) => piece.length),
    take: async () => {
      waiting.shift()?.();
      await turn();
    },
  };
}

const settles = (calls: readonly string[]) => calls.filter((each) => /written|failed/.test(each));

test("pieces of a known length are written as they are, strings as UTF-8", async () => {
  const source = new Source("aé", Buffer.from("b"), new Uint8Array([0, 255]), "");
  const { finished, text, calls } = write(source, 6);
  await finished;
  assert.equal(text(), "a\xc3\xa9b\x00\xff");
  assert.deepEqual(settles(calls), ["written"]);
  assert.equal(source.cancelled, 0);
});

test("pieces of unknown length are chunks, empty ones are none, and a last chunk ends them", async () => {
  const { finished, text, calls } = write(new Source("a", "", Buffer.alloc(26, "b"), ""), null);
  await finished;
  assert.equal(text(), `1\r\na\r\n1a\r\n${"b".repeat(26)}\r\n0\r\n\r\n`);
  assert.deepEqual(settles(calls), ["written"]);
});

test("a body of no pieces is nothing, or the last chunk", async () => {
  for (const [byteLength, expected] of [
    [0, ""],
    [null, "0\r\n\r\n"],
  ] as const) {
    const { finished, text, calls } = write(new Source(), byteLength);
    await finished;
    assert.equal(text(), expected);
    assert.deepEqual(calls, ["written"]);
  }
});

test("whatever the pieces, the chunks hold them in order and none is empty", async () => {
  const piece = fc.oneof(fc.string(), fc.uint8Array({ maxLength: 40 }));
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async (pieces) => {
      const { finished, text } = write(new Source(...pieces), null);
      await finished;
      let rest = text();
      let body = "";
      for (let size = -1; size !== 0; ) {
        const line = /^([0-9a-f]+)\r\n/.exec(rest);
        assert(line, rest);
        size = Number.parseInt(line[1] ?? "", 16);
        const start = line[0].length;
        body += rest.slice(start, start + size);
        assert.equal(rest.slice(start + size, start + size + 2), "\r\n");
        rest = rest.slice(start + size + 2);
      }
      assert.equal(rest, "");
      const bytes = pieces.map((each) => (typeof each === "string" ? Buffer.from(each) : each));
      assert.equal(body, Buffer.concat(bytes).toString("latin1"));
    }),
  );
});

test("a further piece is asked for only when the socket has taken the one before", async () => {
  const source = new Source("first", "second", "third");
  const { finished, take, calls } = write(source, 16, "stands");
  await turn();
  assert.equal(source.pulled, 1);
  assert.deepEqual(calls, ["stands at 5"]);
  await turn();
  assert.equal(source.pulled, 1);
  await take();
  assert.equal(source.pulled, 2);
  assert.deepEqual(calls, ["stands at 5", "flows at 5", "stands at 11"]);
  await take();
  await take();
  await finished;
  assert.equal(calls.at(-1), "written");
});

test("a source may use its memory again as soon as it is asked for more", async () => {
  const memory = Buffer.alloc(8);
  const source: BodySource = {
    next: async () => {
      memory.fill(memory.readUInt8() + 1);
      return memory.readUInt8() <= 6
        ? { done: false, value: memory }
        : { done: true, value: undefined };
    },
    cancel: () => {},
  };
  const { finished, text } = write(source, 48);
  await finished;
  assert.equal(
    text(),
    [1, 2, 3, 4, 5, 6].map((each) => String.fromCharCode(each).repeat(8)).join(""),
  );
});

test("a large piece is written in parts, each when the socket has taken the one before", async () => {
  const { finished, take, calls, sizes } = write(
    new Source(Buffer.alloc(150_000)),
    150_000,
    "stands",
  );
  for (let count = 0; count < 3; count++) await take();
  await turn();
  await take();
  await finished;
  assert.deepEqual(sizes(), [65_536, 65_536, 18_928]);
  assert.deepEqual(
    calls.filter((each) => each.startsWith("stands")),
    ["stands at 65536", "stands at 131072", "stands at 150000"],
  );
  assert.equal(calls.at(-1), "written");
});

test("a source that has everything at hand leaves the event loop its turns", async () => {
  const source = new Source(...Array<string>(1_000).fill(""));
  const { finished } = write(source, null);
  let turns = 0;
  const counting = (async () => {
    while (source.pulled < 1_000) {
      await turn();
      turns++;
    }
  })();
  await finished;
  await counting;
  assert(turns >= 10, `${turns} turns`);
});

test("a byte more than was promised fails the request before it is written", async () => {
  const source = new Source("abc", "de");
  const { finished, text, failures, calls } = write(source, 4);
  await finished;
  assert.equal(text(), "abc");
  assert.deepEqual(settles(calls), ["failed"]);
  const [error] = failures;
  assert(error instanceof InvalidRequestError);
  assert.equal(error.message, "the body has more bytes than its content-length of 4: 5 so far");
  assert.equal(error.requestSent, true);
  assert.equal(source.cancelled, 1);
});

test("a byte fewer than was promised fails the request", async () => {
  const { finished, failures } = write(new Source("abc"), 4);
  await finished;
  const [error] = failures;
  assert(error instanceof InvalidRequestError);
  assert.equal(error.message, "the body has fewer bytes than its content-length of 4: 3 so far");
});

test("a piece that is neither text nor bytes fails the request", async () => {
  for (const [piece, shown] of [
    [5, "5"],
    [null, "null"],
    [undefined, "undefined"],
    [{}, "an object"],
    [["a"], "an array"],
    [new Uint16Array(1), "an object"],
  ]) {
    const source = new Source("a", piece);
    const { finished, failures } = write(source, null);
    await finished;
    const [error] = failures;
    assert(error instanceof InvalidRequestError);
    assert.equal(error.message, `a body must yield strings or bytes, not ${shown}`);
    assert.equal(source.cancelled, 1);
  }
});

test("an error of the source is passed on as it is, and no end of the body is written", async () => {
  const broken = new Error("broken");
  const { finished, text, failures } = write(new Source("a", broken), null);
  await finished;
  assert.deepEqual(failures, [broken]);
  assert.equal(text(), "1\r\na\r\n");
});

test("after a stop the source is cancelled once, nothing is written and nothing is told", async () => {
  for (const stopAt of ["waiting for the source", "waiting for the socket"]) {
    const source = new Source("first", "second");
    const { writer, finished, text, calls } = write(source, null, "stands");
    if (stopAt === "waiting for the socket") await turn();
    const before = { text: text(), calls: [...calls] };
    writer.stop();
    writer.stop();
    await finished;
    assert.equal(source.cancelled, 1);
    assert.deepEqual({ text: text(), calls }, before);
  }
});

test("a stop after the end does not cancel the source", async () => {
  const source = new Source("a");
  const { writer, finished } = write(source, 1);
  await finished;
  writer.stop();
  assert.equal(source.cancelled, 0);
});

test("an error of the source after a stop is not told", async () => {
  let fail = (_: Error) => {};
  const source: BodySource = {
    next: () =>
      new Promise((_, reject) => {
        fail = reject;
      }),
    cancel: () => {},
  };
  const { writer, finished, calls } = write(source, null);
  writer.stop();
  fail(new Error("too late"));
  await finished;
  assert.deepEqual(calls, []);
});

test("bytes at hand are a source of one piece", async () => {
  const source = sourceOf(Buffer.from("abc"));
  assert.deepEqual(await source.next(), { done: false, value: Buffer.from("abc") });
  assert.equal((await source.next()).done, true);
  source.cancel();
});
