import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../../test/support/fast-check.ts";
import { encodeForm } from "./form-data.ts";

async function bytesOf(form: FormData) {
  const { contentType, byteLength, pieces } = encodeForm(form);
  const parts: Uint8Array[] = [];
  for await (const piece of pieces()) parts.push(piece);
  return { contentType, byteLength, bytes: Buffer.concat(parts) };
}

/** What another implementation reads in it. */
async function parsed(form: FormData): Promise<FormData> {
  const { contentType, bytes } = await bytesOf(form);
  return await new Response(bytes, { headers: { "content-type": contentType } }).formData();
}

async function readable(form: FormData) {
  const entries = [];
  for (const [name, value] of form) {
    entries.push(
      typeof value === "string"
        ? { name, value }
        : { name, file: value.name, type: value.type, text: await value.text() },
    );
  }
  return entries;
}

test("fields and files are read back as they were, in order, repeated names included", async () => {
  const form = new FormData();
  form.append("a", "1");
  form.append("file", new File(["bytes \0\r\n--"], "näme ☃.txt", { type: "text/plain" }));
  form.append("a", "ünïcode ☃ 😀");
  form.append("blob", new Blob(["x"], { type: "image/png" }));
  form.append("untyped", new File(["y"], "y"));
  form.append("", "");
  assert.deepEqual(await readable(await parsed(form)), [
    { name: "a", value: "1" },
    { name: "file", file: "näme ☃.txt", type: "text/plain", text: "bytes \0\r\n--" },
    { name: "a", value: "ünïcode ☃ 😀" },
    { name: "blob", file: "blob", type: "image/png", text: "x" },
    { name: "untyped", file: "y", type: "application/octet-stream", text: "y" },
    { name: "", value: "" },
  ]);
});

test("no name, value or file name can end its line or its quotes", async () => {
  const hostile = fc.array(fc.constantFrom("a", '"', "\r", "\n", ";", "=", ":", " ", "é"), {
    maxLength: 8,
  });
  const texts = fc.tuple(hostile, hostile, hostile).map((all) => all.map((each) => each.join("")));
  await fc.assert(
    fc.asyncProperty(texts, async ([name = "", value = "", fileName = ""]) => {
      const form = new FormData();
      form.append(name, value);
      form.append(name, new File(["body"], fileName));
      const { bytes, contentType } = await bytesOf(form);
      const boundary = contentType.replace(/^.*boundary=/, "");
      const text = bytes.toString("utf8");
      const heads = text.split(`--${boundary}`).slice(1, -1);
      assert.equal(heads.length, 2);
      for (const part of heads) {
        const [head = ""] = part.slice(2).split("\r\n\r\n");
        const lines = head.split("\r\n");
        assert.match(
          lines[0] ?? "",
          /^Content-Disposition: form-data; name="[^"\r\n]*"(?:; filename="[^"\r\n]*")?$/,
        );
        assert(lines.length === 1 || lines[1] === "Content-Type: application/octet-stream");
        assert(lines.length <= 2);
      }
    }),
  );
});

test("line ends of names and values become CRLF, those of file names are kept", async () => {
  const form = new FormData();
  form.append("a\nb", "1\r2\n3\r\n4");
  form.append("f", new File([], 'a\nb\rc\r\n"d"'));
  const { bytes } = await bytesOf(form);
  const text = bytes.toString();
  assert(text.includes('name="a%0D%0Ab"\r\n\r\n1\r\n2\r\n3\r\n4\r\n'));
  assert(text.includes('filename="a%0Ab%0Dc%0D%0A%22d%22"'));
});

test("the length that is told beforehand is that of the bytes, whatever the form holds", async () => {
  const entry = fc.tuple(
    fc.string({ unit: "grapheme" }),
    fc.string({ unit: "grapheme" }),
    fc.boolean(),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 5 }), async (entries) => {
      const form = new FormData();
      for (const [name, value, isFile] of entries) {
        form.append(name, isFile ? new File([value], name) : value);
      }
      const { byteLength, bytes } = await bytesOf(form);
      assert.equal(byteLength, bytes.length);
    }),
  );
});

test("a form without fields is the end of a form", async () => {
  const { contentType, bytes } = await bytesOf(new FormData());
  assert.equal(bytes.toString(), `--${contentType.replace(/^.*boundary=/, "")}--\r\n`);
});

test("every form has a boundary of its own, which cannot be guessed", () => {
  const types = new Set(Array.from({ length: 20 }, () => encodeForm(new FormData()).contentType));
  assert.equal(types.size, 20);
  for (const type of types) {
    assert.match(type, /^multipart\/form-data; boundary=[-0-9a-z]{40,70}$/);
  }
});
