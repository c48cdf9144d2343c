import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../../test/support/temporary.ts";
import { UsageError } from "../errors.ts";
import { readUrls, shownUrl, withShownUrls } from "./urls.ts";

test("a URL stands for itself, a file for its lines", (t) => {
  assert.deepEqual(readUrls("http://a.test/x"), ["http://a.test/x"]);
  const file = path.join(temporaryFolder(t), "urls.txt");
  writeFileSync(file, "# mine\nhttp://a.test/1\r\n\n  https://b.test/2  \n");
  assert.deepEqual(readUrls(file), ["http://a.test/1", "https://b.test/2"]);
});

test("what is shown of a URL has no user, no query and no fragment, also within a message", () => {
  assert.equal(shownUrl("https://me@a.test:8443/x/y?token=1#z"), "https://a.test:8443/x/y");
  assert.equal(
    withShownUrls(
      `GET "http://me:word@a.test/x?token=1'(2)": none, nor HTTP://b.test/#k of HTTP://[`,
    ),
    'GET "http://a.test/x": none, nor http://b.test/ of (URL)',
  );
});

test("what is neither is refused with what is wrong, and in a file with the line", (t) => {
  const folder = temporaryFolder(t);
  const file = (text: string): string => {
    const name = path.join(folder, "urls.txt");
    writeFileSync(name, text);
    return name;
  };
  const refusals: [text: string, message: RegExp][] = [
    ["http://me:secret@a.test/", /no password/],
    ["no-such-file", /neither an http or https URL nor a file.*ENOENT/],
    [folder, /neither .*EISDIR/],
    [file("# nothing\n"), /no URL in it/],
  ];
  for (const [text, message] of refusals) {
    assert.throws(() => readUrls(text), { message }, text);
    assert.throws(() => readUrls(text), UsageError);
  }
  const bad = file("http://a.test/\nftp://b.test/\n");
  assert.throws(() => readUrls(bad), /line 2 of .* must be an absolute http or https URL.*"ftp:/);
});
