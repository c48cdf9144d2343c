import assert from "node:assert/strict";
import { test } from "node:test";
import { type Output, Terminal } from "./terminal.ts";

class Recorder implements Output {
  text = "";
  readonly isTTY: boolean;
  readonly columns: number;
  readonly rows = 4;

  constructor(kind: "terminal" | "file", columns = 80) {
    this.isTTY = kind === "terminal";
    this.columns = columns;
  }

  write(text: string): void {
    this.text += text;
  }
}

const utf8 = { LANG: "en_US.UTF-8" };

function shown(env: Record<string, string>, platform: NodeJS.Platform = "linux"): string {
  const out = new Recorder("file");
  new Terminal(out, new Recorder("file"), env, platform).print(["█ 2 × 2"]);
  return out.text;
}

test("Unicode goes only to a terminal whose locale has it", () => {
  assert.equal(shown(utf8), "█ 2 × 2\n");
  assert.equal(shown({ LC_ALL: "C", LANG: "en_US.UTF-8" }), "# 2 x 2\n");
  assert.equal(shown({ LC_ALL: "", LC_CTYPE: "de_DE.utf8" }), "█ 2 × 2\n");
  assert.equal(shown({}), "# 2 x 2\n");
  assert.equal(shown({}, "win32"), "# 2 x 2\n");
  assert.equal(shown({ WT_SESSION: "1" }, "win32"), "█ 2 × 2\n");
});

test("colours go to a terminal, unless NO_COLOR or TERM=dumb forbids or FORCE_COLOR demands them", () => {
  const isColoured = (kind: "terminal" | "file", env: Record<string, string>): boolean =>
    new Terminal(new Recorder(kind), new Recorder(kind), env).paint("green", "x") !== "x";
  assert.equal(isColoured("terminal", {}), true);
  assert.equal(isColoured("file", {}), false);
  assert.equal(isColoured("terminal", { NO_COLOR: "1" }), false);
  assert.equal(isColoured("terminal", { NO_COLOR: "" }), true);
  assert.equal(isColoured("terminal", { TERM: "dumb" }), false);
  assert.equal(isColoured("file", { FORCE_COLOR: "1" }), true);
  assert.equal(isColoured("terminal", { FORCE_COLOR: "0" }), false);
});

test("progress is one line on a terminal's stderr, narrower than it, and gone before anything else is written", () => {
  const out = new Recorder("terminal");
  const err = new Recorder("terminal", 10);
  const terminal = new Terminal(out, err, utf8);
  terminal.progress("much too long a line");
  assert.equal(err.text, "\rmuch too \x1b[K");
  // Too soon after the other one.
  terminal.progress("second");
  terminal.print(["result"]);
  assert.equal(err.text, "\rmuch too \x1b[K\r\x1b[K");
  assert.equal(out.text, "result\n");
});

test("nobody is shown progress where stderr is no terminal", () => {
  const err = new Recorder("file");
  const terminal = new Terminal(new Recorder("terminal"), err, utf8);
  terminal.progress("half");
  terminal.clearProgress();
  assert.equal(err.text, "");
});

test("the width is the terminal's, 80 where there is none, and never too wide to read", () => {
  const widthAt = (columns: number): number =>
    new Terminal(new Recorder("terminal", columns), new Recorder("file"), utf8).width;
  assert.deepEqual([60, 300, 0].map(widthAt), [60, 100, 80]);
});

test("what is drawn again takes the place of what was there, and neither wraps nor scrolls", () => {
  const out = new Recorder("terminal", 6);
  const terminal = new Terminal(out, new Recorder("terminal"), { ...utf8, TERM: "xterm" });
  terminal.redraw(["one", terminal.paint("bold", "much too long"), "three", "four"]);
  assert.equal(out.text, "\x1b[Hone\x1b[K\nmuch t\x1b[K\nthree\x1b[K\n\x1b[J");
});

test("where there is no terminal what is drawn again comes one after the other", () => {
  const out = new Recorder("file");
  const terminal = new Terminal(out, new Recorder("file"), utf8);
  terminal.redraw(["one"]);
  terminal.redraw(["two"]);
  assert.equal(out.text, "one\n\ntwo\n\n");
});
