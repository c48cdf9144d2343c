/**
 * Writes FormData as multipart/form-data (RFC 7578) with a known length, so that a server that takes no
 * chunked bodies takes it, and piece by piece, so that a large file is not read into memory.
 */
import { randomBytes } from "node:crypto";

/** A form ready to send. */
export interface MultipartForm {
  readonly contentType: string;
  readonly byteLength: number;
  /** All of it, from the beginning, each time. */
  readonly pieces: () => AsyncIterable<Uint8Array>;
}

/** Encodes `form`; its files are read when the pieces are. */
export function encodeForm(form: FormData): MultipartForm {
  const boundary = `keepline-${randomBytes(16).toString("hex")}`;
  const parts: (Uint8Array | Blob)[] = [];
  for (const [name, value] of form) {
    const disposition = `--${boundary}\r\nContent-Disposition: form-data; name="${escapeQuoted(normalizeLineEnds(name))}"`;
    if (typeof value === "string") {
      parts.push(Buffer.from(`${disposition}\r\n\r\n${normalizeLineEnds(value)}\r\n`));
      continue;
    }
    const type = value.type === "" ? "application/octet-stream" : value.type;
    parts.push(
      Buffer.from(
        `${disposition}; filename="${escapeQuoted(value.name)}"\r\nContent-Type: ${type}\r\n\r\n`,
      ),
      value,
      Buffer.from("\r\n"),
    );
  }
  parts.push(Buffer.from(`--${boundary}--\r\n`));
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    byteLength: parts.reduce((sum, part) => sum + sizeOf(part), 0),
    pieces: () => piecesOf(parts),
  };
}

async function* piecesOf(parts: readonly (Uint8Array | Blob)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    if (part instanceof Uint8Array) yield part;
    else yield* part.stream() as unknown as AsyncIterable<Uint8Array>;
  }
}

function sizeOf(part: Uint8Array | Blob): number {
  return part instanceof Uint8Array ? part.length : part.size;
}

/** What would end the quoted string or the line (WHATWG HTML, multipart/form-data encoding algorithm). */
function escapeQuoted(text: string): string {
  return text.replaceAll("\r", "%0D").replaceAll("\n", "%0A").replaceAll('"', "%22");
}

/** Line ends of a field's name and value are CRLF (as above); those of a file name stay as they are. */
function normalizeLineEnds(text: string): string {
  return text.replace(/\r\n|\r|\n/g, "\r\n");
}
